import KernelLayout
import VMSA

/// Linux's use of bits 58:55 of a valid leaf, which Arm leaves to software. (arch/arm64/include/asm/pgtable-prot.h)
package struct SoftwareBits: OptionSet, Hashable, Sendable {
  /// The bits in their places in the descriptor.
  package let rawValue: UInt64
  /// Keeps bits 58:55 of a descriptor.
  package init(rawValue: UInt64) { self.rawValue = rawValue & Descriptor.Bits.software.rawValue }
  /// PTE_DIRTY, bit 55.
  package static let dirty = Self(rawValue: 1 << 55)
  /// PTE_SPECIAL, bit 56.
  package static let special = Self(rawValue: 1 << 56)
  /// PTE_DEVMAP, bit 57 (5.3 to 6.16).
  package static let devmap = Self(rawValue: 1 << 57)
  /// PTE_UFFD_WP, bit 58 of a valid entry (6.10 and later).
  package static let userfaultWriteProtect = Self(rawValue: 1 << 58)
}

extension Attributes {
  /// Bits 58:55, as Linux uses them.
  package var software: SoftwareBits { SoftwareBits(rawValue: descriptor.rawValue) }
}

extension KernelFacts {
  /// Those of `bits` that this kernel version uses.
  package func meaningful(_ bits: SoftwareBits) -> SoftwareBits {
    var bits = bits
    if has(.devmapEntries) == false || has(.noDevmapEntries) == true { bits.remove(.devmap) }
    if has(.userfaultEntries) == false { bits.remove(.userfaultWriteProtect) }
    return bits
  }
}
