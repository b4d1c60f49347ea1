import VMSA

/// What decides where the regions of a kernel are, besides its era.
package struct LayoutConfiguration: Hashable, Sendable {
  /// PAGE_SIZE.
  package var granule: Granule
  /// VA_BITS.
  package var vaBits: Int
  /// vabits_actual.
  package var vaBitsActual: Int
  /// CONFIG_KASAN and its mode.
  package var kasan: KASAN
  /// sizeof(struct page) in bytes.
  package var structPageSize: UInt64

  /// The modes of KASAN that keep a shadow.
  package enum KASAN: String, Hashable, Sendable, CaseIterable {
    /// No shadow: no KASAN, or its hardware mode.
    case off = "none"
    /// One byte for eight.
    case generic
    /// One byte for sixteen.
    case softwareTags = "sw-tags"

    /// KASAN_SHADOW_SCALE_SHIFT; nil without a shadow.
    package var scaleShift: Int? {
      switch self {
      case .off: nil
      case .generic: 3
      case .softwareTags: 4
      }
    }
  }

  /// Describes a kernel.
  package init(
    granule: Granule, vaBits: Int, vaBitsActual: Int? = nil, kasan: KASAN = .off, structPageSize: UInt64 = 64
  ) {
    self.granule = granule
    self.vaBits = vaBits
    self.vaBitsActual = vaBitsActual ?? vaBits
    self.kasan = kasan
    self.structPageSize = structPageSize
  }

  /// The page size and the widths alone.
  package var paging: PagingParameters {
    PagingParameters(granule: granule, vaBits: vaBits, vaBitsActual: vaBitsActual)
  }

  /// VA_BITS_MIN.
  package var vaBitsMin: Int { paging.vaBitsMin }
}
