import VMSA

/// What decides where the regions of a kernel are, besides its era.
public struct LayoutConfiguration: Hashable, Sendable {
  /// PAGE_SIZE.
  public var granule: Granule
  /// VA_BITS.
  public var vaBits: Int
  /// vabits_actual.
  public var vaBitsActual: Int
  /// CONFIG_KASAN and its mode.
  public var kasan: KASAN
  /// sizeof(struct page) in bytes.
  public var structPageSize: UInt64

  /// The modes of KASAN that keep a shadow.
  public enum KASAN: String, Hashable, Sendable, CaseIterable {
    /// No shadow: no KASAN, or its hardware mode.
    case none
    /// One byte for eight.
    case generic
    /// One byte for sixteen.
    case softwareTags = "sw-tags"

    /// KASAN_SHADOW_SCALE_SHIFT; nil without a shadow.
    package var scaleShift: Int? {
      switch self {
      case .none: nil
      case .generic: 3
      case .softwareTags: 4
      }
    }
  }

  /// Describes a kernel.
  public init(
    granule: Granule, vaBits: Int, vaBitsActual: Int? = nil, kasan: KASAN = .none, structPageSize: UInt64 = 64
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
  public var vaBitsMin: Int { paging.vaBitsMin }
}
