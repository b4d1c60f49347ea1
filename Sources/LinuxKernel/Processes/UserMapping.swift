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
  /// The offset in the file, in bytes; 0 without a file.
  package let offset: UInt64
  /// The `struct file`; nil without one.
  package let file: UInt64?
  /// The device that the file is on; 0 without a file.
  package let device: (major: UInt64, minor: UInt64)
  /// The file's inode number; 0 without a file.
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

  /// Whether an untouched page of it would read as zeros: not if it maps a file, or is the kernel's own ([vdso]).
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
