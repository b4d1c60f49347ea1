import DebugInfo
import KernelLayout
import VMSA

/// What the kernel's configuration does not show about output addresses: the bit that a Realm sets for shared memory,
/// and the width that the CPUs support.
struct OutputAddresses: Sendable {
  /// The descriptor bits that mark memory shared by a Realm with its host (PROT_NS_SHARED); 0 if the kernel does not
  /// run in a Realm.
  let sharedBits: UInt64
  /// The width by TCR_EL1.IPS, in bits; nil if unknown. An address beyond it is an address size fault.
  let physicalBits: Int?

  /// `regime` with both.
  func applied(to regime: TranslationRegime) -> TranslationRegime {
    guard !regime.register.isSingleRange else { return regime }
    let bits = physicalBits.flatMap { TranslationControl.physicalWidths.contains($0) ? $0 : nil }
    guard sharedBits != 0 || bits ?? 52 < regime.physicalBits else { return regime }
    return TranslationRegime(
      register: regime.register, granule: regime.granule, tableBits: regime.tableBits, addressBits: regime.addressBits,
      format: regime.format.ignoring(sharedBits), physicalBits: min(bits ?? 52, regime.physicalBits), root: regime.root)
  }

  /// The variable `prot_ns_shared`, if it holds a bit of the address, as it does in a Realm.
  /// (`arm64_rsi_init`, arch/arm64/kernel/rsi.c)
  static func sharedBits(
    _ version: KernelVersion?, _ regime: TranslationRegime, _ image: KernelMemory, symbol: (String) -> Symbol?
  ) -> UInt64 {
    guard version?.has(.realmSharedPages) ?? true, let address = symbol("prot_ns_shared")?.address,
      let bits = image.word(at: address), bits.nonzeroBitCount == 1,
      bits & ~(regime.format.lowMask | regime.format.highMask) == 0
    else { return 0 }
    return bits
  }
}
