import VMSA

/// The page size and address widths that a kernel was built for and runs with, and what follows from them.
package struct PagingParameters: Hashable, Sendable {
  /// PAGE_SIZE.
  package var granule: Granule
  /// VA_BITS: the configured width.
  package var vaBits: Int
  /// vabits_actual: the width in use, which is less than VA_BITS on hardware without 52-bit addresses.
  package var vaBitsActual: Int

  /// Describes a kernel.
  package init(granule: Granule, vaBits: Int, vaBitsActual: Int? = nil) {
    self.granule = granule
    self.vaBits = vaBits
    self.vaBitsActual = vaBitsActual ?? vaBits
  }

  /// The widths that a kernel with this page size can be configured for, the commonest first. They are also the
  /// possible shapes of its tables. (CONFIG_ARM64_VA_BITS, arch/arm64/Kconfig)
  package static func widths(of granule: Granule) -> [Int] {
    switch granule {
    case .fourKiB: [48, 39, 52]
    case .sixteenKiB: [47, 48, 52, 36]
    case .sixtyFourKiB: [52, 48, 42]
    }
  }

  /// Every width that an arm64 kernel can be configured for, in ascending order.
  package static let widths = Set(Granule.allCases.flatMap(widths)).sorted()

  /// VA_BITS_MIN, the width that every CPU must have for the kernel to run: 48 where 52 are configured, but 47 with
  /// 16 KiB pages, which lose a whole level without LPA2. (asm/memory.h)
  package var vaBitsMin: Int { vaBits > 48 ? (granule == .sixteenKiB ? 47 : 48) : vaBits }

  /// The width that the kernel's tables are shaped for. 64 KiB kernels keep the configured shape, and TTBR1 points
  /// into the root; those of 4 and 16 KiB fold the top level away. (TTBR1_BADDR_4852_OFFSET, asm/pgtable-hwdef.h)
  package var tableBits: Int { granule == .sixtyFourKiB ? vaBits : vaBitsActual }

  /// Every shape that the tables may have, the expected one first: a 64 KiB kernel of 5.0 to 5.3 with 52-bit user space
  /// (CONFIG_ARM64_USER_VA_BITS_52) reports VA_BITS=48 and has the 52-bit shape.
  package var tableShapes: [Int] {
    granule == .sixtyFourKiB
      ? [vaBits] + Self.widths(of: granule).filter { $0 != vaBits && $0 >= vaBitsActual } : [tableBits]
  }

  /// The width of user addresses: the kernel's, except in 64 KiB kernels of 5.0 to 5.3 where only user space has 52
  /// bits.
  ///
  /// - Parameters:
  ///   - vabitsUser: the kernel's variable `vabits_user`, if it can be read.
  ///   - tableBits: the width that the tables are shaped for. 48-bit kernels have the 52-bit shape only for user
  ///     space's sake.
  package func userBits(vabitsUser: UInt64?, tableBits: Int) -> Int {
    guard mayHaveWiderUser else { return vaBitsActual }
    return vabitsUser.map { $0 == 52 } ?? (tableBits == 52) ? 52 : vaBitsActual
  }

  /// Whether user space may be wider than the kernel's half.
  package var mayHaveWiderUser: Bool { granule == .sixtyFourKiB && vaBits == 48 }

  /// The leading entries of a 64 KiB, 52-bit root table that 48-bit addresses do not reach: of 1,024 entries the last
  /// 64 cover 48 bits.
  package static let rootEntriesBeyond48Bits = 960

  /// Whether the MMU uses LPA2 (TCR_EL1.DS): if and only if a 4 or 16 KiB kernel uses 52 bits, since
  /// CONFIG_ARM64_VA_BITS_52 selects ARM64_PA_BITS_52 there. (arch/arm64/Kconfig, 6.9)
  package static func usesLPA2(_ granule: Granule, addressBits: Int) -> Bool {
    granule != .sixtyFourKiB && addressBits == 52
  }

  /// The format of descriptors, by the page size and the width in use. 64 KiB descriptors may always be read as LPA,
  /// whose extra bits are zero if physical addresses are shorter.
  package static func format(_ granule: Granule, addressBits: Int) -> DescriptorFormat {
    if granule == .sixtyFourKiB { return .lpa64KiB }
    return usesLPA2(granule, addressBits: addressBits) ? .lpa2(granule) : .bits48(granule)
  }
}

extension TranslationRegime {
  /// The kernel's half of the address space.
  ///
  /// - Parameters:
  ///   - tableBits: the width that the tables are shaped for.
  ///   - addressBits: the width in use.
  ///   - physicalBits: MAX_PHYSMEM_BITS; 52 if unknown.
  package static func kernel(
    _ granule: Granule, tableBits: Int, addressBits: Int, physicalBits: Int?, root: PhysicalAddress
  ) -> TranslationRegime {
    TranslationRegime(
      register: .ttbr1EL1, granule: granule, tableBits: tableBits, addressBits: addressBits,
      format: PagingParameters.format(granule, addressBits: addressBits), physicalBits: physicalBits ?? 52, root: root)
  }
}
