import KernelLayout

/// The flags of a VMA by name, VM_READ and so on: numbered by the kernel's own enumerators (VMA_READ_BIT and so on,
/// since 7.0), or else by its version. (include/linux/mm.h)
package struct VMAFlags: Sendable {
  /// The name of each bit.
  private let names: [String?]

  /// - Parameters:
  ///   - constants: the enumerators around VMA_READ_BIT; empty if the kernel has none.
  ///   - version: decides the numbers otherwise.
  package init(_ constants: [(name: String, value: Int64)], _ version: KernelVersion?) {
    var known: [Int: [String]] = [:]
    for (name, value) in constants where name.hasPrefix("VMA_") && name.hasSuffix("_BIT") && 0..<64 ~= value {
      known[Int(value), default: []].append(String(name.dropFirst(4).dropLast(4)))
    }
    names = (0..<64).map { bit in
      let ours = Self.fixed[bit] ?? version.flatMap { Self.name(bit, $0) }
      guard !known.isEmpty else { return ours }
      // If several names share a bit, the one that it always had, or else the first.
      return known[bit].map { own in ours.flatMap { own.contains($0) ? $0 : nil } ?? own[0] }
    }
  }

  static let read: UInt64 = 1 << 0
  static let write: UInt64 = 1 << 1
  static let execute: UInt64 = 1 << 2
  /// VM_MAYSHARE, shown as `s` in /proc/PID/maps.
  static let mayShare: UInt64 = 1 << 7

  /// The flags whose bit never changed. Bits 11 and 24 depend on the version.
  private static let fixed: [Int: String] = [
    0: "READ", 1: "WRITE", 2: "EXEC", 3: "SHARED", 4: "MAYREAD", 5: "MAYWRITE", 6: "MAYEXEC", 7: "MAYSHARE",
    8: "GROWSDOWN", 9: "UFFD_MISSING", 10: "PFNMAP", 12: "UFFD_WP", 13: "LOCKED", 14: "IO", 15: "SEQ_READ",
    16: "RAND_READ", 17: "DONTCOPY", 18: "DONTEXPAND", 19: "LOCKONFAULT", 20: "ACCOUNT", 21: "NORESERVE",
    22: "HUGETLB", 23: "SYNC", 25: "WIPEONFORK", 26: "DONTDUMP", 27: "SOFTDIRTY", 28: "MIXEDMAP", 29: "HUGEPAGE",
    30: "NOHUGEPAGE", 31: "MERGEABLE",
  ]

  /// The names of `flags`, each with VM_ before it; a bit without a name in this version as "bit N".
  package func names(_ flags: UInt64) -> [String] {
    (0..<64).filter { flags >> UInt64($0) & 1 == 1 }.map { bit in names[bit].map { "VM_\($0)" } ?? "bit \(bit)" }
  }

  private static func name(_ bit: Int, _ version: KernelVersion) -> String? {
    switch bit {
    case 11: version.has(.guardedVMAs) ? "MAYBE_GUARD" : version.has(.noDeniedWrites) ? nil : "DENYWRITE"
    case 24: version.has(.guardedPages) ? "ARM64_BTI" : "ARCH_1"
    case 32...35:
      version.has(.protectionKeys)
        ? bit < 35 ? "PKEY_BIT\(bit - 32)" : nil : bit == 32 ? "MTE" : bit == 33 ? "MTE_ALLOWED" : nil
    case 36: version.has(.protectionKeys) ? "MTE" : nil
    case 37: version.has(.protectionKeys) ? "MTE_ALLOWED" : "UFFD_MINOR"
    case 38: version.has(.shadowStackVMAs) ? "SHADOW_STACK" : version.has(.protectionKeys) ? "UFFD_MINOR" : nil
    case 40: version.has(.protectionKeys) ? "DROPPABLE" : nil
    case 41: version.has(.shadowStackVMAs) ? "UFFD_MINOR" : nil
    case 42: version.has(.guardedVMAs) ? "SEALED" : nil
    case 63: version.has(.guardedVMAs) ? nil : "SEALED"
    default: nil
    }
  }
}
