/// A partly known TCR_EL1: a value, and the mask of its known bits. TCR_EL2 is the same under VHE. (Arm ARM D19,
/// TCR_EL1)
package struct TranslationControl: Hashable, Sendable {
  /// The known bits, with the others zero.
  package private(set) var value: UInt64 = 0
  /// The mask of known bits.
  package private(set) var known: UInt64 = 0

  /// Nothing is known.
  package init() {}

  /// The physical address widths encoded by IPS (PS in TCR_EL2), by its value.
  package static let physicalWidths = [32, 36, 40, 42, 44, 48, 52]

  /// A field of the register.
  package enum Field: String, CaseIterable, Sendable {
    /// 64 minus the width of addresses of the lower half.
    case t0sz = "T0SZ"
    /// 64 minus the width of addresses of the upper half.
    case t1sz = "T1SZ"
    /// The granule of the lower half, as `Granule.tg0` encodes it.
    case tg0 = "TG0"
    /// The granule of the upper half, as `Granule.tg1` encodes it.
    case tg1 = "TG1"
    /// The width of physical addresses: 0 to 6 are 32, 36, 40, 42, 44, 48 and 52 bits.
    case ips = "IPS"
    /// Whether TTBR1 holds the ASID.
    case a1 = "A1"
    /// Whether ASIDs have 16 bits.
    case as16 = "AS"
    /// Whether the top byte is ignored in the lower half.
    case tbi0 = "TBI0"
    /// Whether the top byte is ignored in the upper half.
    case tbi1 = "TBI1"
    /// Whether TBI0 applies only to data accesses.
    case tbid0 = "TBID0"
    /// Whether TBI1 applies only to data accesses.
    case tbid1 = "TBID1"
    /// Whether the hardware sets the access flag.
    case ha = "HA"
    /// Whether the hardware manages the dirty state.
    case hd = "HD"
    /// 52-bit addresses with 4 and 16 KiB pages (LPA2).
    case ds = "DS"
    /// Whether walks of the lower half are disabled.
    case epd0 = "EPD0"
    /// Whether walks of the upper half are disabled.
    case epd1 = "EPD1"
    /// Inner cacheability of walks of the lower half.
    case irgn0 = "IRGN0"
    /// Outer cacheability of walks of the lower half.
    case orgn0 = "ORGN0"
    /// Shareability of walks of the lower half.
    case sh0 = "SH0"
    /// Inner cacheability of walks of the upper half.
    case irgn1 = "IRGN1"
    /// Outer cacheability of walks of the upper half.
    case orgn1 = "ORGN1"
    /// Shareability of walks of the upper half.
    case sh1 = "SH1"
    /// Whether the attributes of the lower half's table descriptors are ignored.
    case hpd0 = "HPD0"
    /// Whether the attributes of the upper half's table descriptors are ignored.
    case hpd1 = "HPD1"
    /// Whether speculative SVE loads of EL0 fault in the lower half.
    case nfd0 = "NFD0"
    /// Whether speculative SVE loads of EL0 fault in the upper half.
    case nfd1 = "NFD1"
    /// Whether EL0 faults in the lower half without a walk.
    case e0pd0 = "E0PD0"
    /// Whether EL0 faults in the upper half without a walk.
    case e0pd1 = "E0PD1"
    /// Whether accesses with tag 0 in the lower half are unchecked.
    case tcma0 = "TCMA0"
    /// Whether accesses with tag 0xf in the upper half are unchecked.
    case tcma1 = "TCMA1"

    /// Its lowest bit and its width.
    @usableFromInline var place: (shift: UInt64, width: UInt64) {
      switch self {
      case .t0sz: (0, 6)
      case .epd0: (7, 1)
      case .irgn0: (8, 2)
      case .orgn0: (10, 2)
      case .sh0: (12, 2)
      case .tg0: (14, 2)
      case .t1sz: (16, 6)
      case .a1: (22, 1)
      case .epd1: (23, 1)
      case .irgn1: (24, 2)
      case .orgn1: (26, 2)
      case .sh1: (28, 2)
      case .tg1: (30, 2)
      case .ips: (32, 3)
      case .as16: (36, 1)
      case .tbi0: (37, 1)
      case .tbi1: (38, 1)
      case .ha: (39, 1)
      case .hd: (40, 1)
      case .hpd0: (41, 1)
      case .hpd1: (42, 1)
      case .tbid0: (51, 1)
      case .tbid1: (52, 1)
      case .nfd0: (53, 1)
      case .nfd1: (54, 1)
      case .e0pd0: (55, 1)
      case .e0pd1: (56, 1)
      case .tcma0: (57, 1)
      case .tcma1: (58, 1)
      case .ds: (59, 1)
      }
    }
  }

  /// The value of a field; nil if unknown. Setting nil has no effect.
  package subscript(field: Field) -> UInt64? {
    get {
      let (shift, width) = field.place
      let mask = (UInt64(1) << width - 1) << shift
      return known & mask == mask ? value >> shift & (UInt64(1) << width - 1) : nil
    }
    set {
      guard let newValue else { return }
      let (shift, width) = field.place
      let mask = (UInt64(1) << width - 1) << shift
      known |= mask
      value = value & ~mask | newValue << shift & mask
    }
  }
}

extension Granule {
  /// TCR_EL1.TG0 for this page size. (Arm ARM D19, TCR_EL1)
  package var tg0: UInt64 {
    switch self {
    case .fourKiB: 0
    case .sixteenKiB: 2
    case .sixtyFourKiB: 1
    }
  }
  /// TCR_EL1.TG1 for this page size: another encoding than TG0.
  package var tg1: UInt64 {
    switch self {
    case .fourKiB: 2
    case .sixteenKiB: 1
    case .sixtyFourKiB: 3
    }
  }
}
