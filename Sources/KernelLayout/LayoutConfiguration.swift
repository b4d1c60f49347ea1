import VMSA

/// What determines, besides the era, where a kernel's regions are.
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

  /// Only the page size and the widths.
  package var paging: PagingParameters {
    PagingParameters(granule: granule, vaBits: vaBits, vaBitsActual: vaBitsActual)
  }

  /// VA_BITS_MIN.
  package var vaBitsMin: Int { paging.vaBitsMin }
}

/// KASAN's mapping of memory to its shadow: one byte for a granule of 8 or 16. (`kasan_mem_to_shadow`,
/// include/linux/kasan.h)
package struct KASANShadow: Hashable, Sendable {
  /// CONFIG_KASAN_GENERIC or CONFIG_KASAN_SW_TAGS.
  package let mode: LayoutConfiguration.KASAN
  /// KASAN_SHADOW_OFFSET: where the shadow of address 0 would be.
  package let offset: UInt64
  /// KASAN_SHADOW_SCALE_SHIFT.
  private let scale: UInt64

  /// The mapping of a kernel whose shadow ends at `end` (KASAN_SHADOW_END), where the shadow of the last address is.
  /// nil for a mode without a shadow.
  package init?(_ mode: LayoutConfiguration.KASAN, end: UInt64) {
    guard let shift = mode.scaleShift else { return nil }
    self.mode = mode
    scale = UInt64(shift)
    offset = end &- 1 << (64 - scale)
  }

  /// The address of the shadow of `address`, which has no tag.
  package func shadow(of address: UInt64) -> UInt64 { address >> scale &+ offset }

  /// The addresses that the byte at `shadow` stands for; nil if it shadows none.
  package func addresses(shadowedAt shadow: UInt64) -> ClosedRange<UInt64>? {
    let granule = shadow &- offset
    guard granule >> (64 - scale) == 0 else { return nil }
    return granule << scale...(granule << scale | (1 << scale - 1))
  }
}
