/// A VMA: a range of a process's addresses and what is mapped there.
package struct UserMapping: Hashable, Sendable {
  /// Its `vm_area_struct`.
  package let structure: UInt64
  /// The first address.
  package let start: UInt64
  /// The address after the last.
  package let end: UInt64
  /// `vm_flags`.
  package let flags: UInt64
  /// Where in the file it begins, in bytes; 0 without one.
  package let offset: UInt64
  /// The `struct file`; nil of memory without one.
  package let file: UInt64?
  /// The numbers of the device that the file is on; 0 without one.
  package let device: (major: UInt64, minor: UInt64)
  /// The file's inode; 0 without one.
  package let inode: UInt64
  /// The path of the file, or a name in brackets, as /proc/PID/maps has it; nil without one.
  package let name: String?
  /// The flags by name, such as VM_READ.
  package let flagNames: [String]

  /// The permissions as /proc/PID/maps has them: "r-xp".
  package var permissions: String {
    func letter(_ bit: UInt64, _ letter: String) -> String { flags & bit == 0 ? "-" : letter }
    return letter(VMAFlags.read, "r") + letter(VMAFlags.write, "w") + letter(VMAFlags.execute, "x")
      + (flags & VMAFlags.mayShare == 0 ? "p" : "s")
  }

  /// Whether a page of it that was never touched would have zeros: not one of a file, or of the kernel's own ([vdso]).
  package var isZeroFilled: Bool {
    file == nil && (name.map { ["[heap]", "[stack]"].contains($0) || $0.hasPrefix("[anon:") } ?? true)
  }

  /// Whether `address` is in it.
  package func contains(_ address: UInt64) -> Bool { address >= start && address < end }

  package static func == (one: Self, other: Self) -> Bool {
    one.structure == other.structure && one.start == other.start
  }
  package func hash(into hasher: inout Hasher) { hasher.combine(structure) }
}
