import KernelLayout
import VMSA

/// The array of `struct page`: the one of a page frame is at `base` + frame * `stride`.
struct Vmemmap: Hashable, Sendable {
  /// Where the `struct page` of frame 0 would be, modulo 2^64 (`vmemmap`, arch/arm64/include/asm/pgtable.h).
  let base: UInt64
  /// sizeof(struct page) in bytes.
  let stride: UInt64
  /// log2 of the page size.
  let pageShift: UInt64

  /// From VMCOREINFO (6.9, d3246b6ee42a), or else from the layout, by the `struct page` of the linear map's first page.
  /// nil if the layout or the linear map is unknown.
  ///
  /// The second holds for every version, including 5.4 to 5.9, whose `vmemmap` is a variable (c8b6d2ccf9b1 "arm64: mm:
  /// Separate out vmemmap") computed together with physvirt_offset.
  init?(_ layout: DetectedLayout, _ vmcoreinfo: VMCoreInfo?, linearOffset: @autoclosure () -> UInt64?) {
    let configuration = layout.configuration
    stride = configuration.structPageSize
    pageShift = UInt64(configuration.granule.pageShift)
    guard stride > 0 else { return nil }
    if let symbol = vmcoreinfo?.symbol("vmemmap") {
      base = symbol
      return
    }
    guard let bounds = layout.layout, let offset = linearOffset() else { return nil }
    // Negative if RAM begins above the physical address of PAGE_OFFSET.
    let frames = Int64(bitPattern: offset &- bounds.linearMap.start) >> Int64(pageShift)
    base = bounds.vmemmap.start &+ UInt64(bitPattern: frames) &* stride
  }

  /// The frame whose `struct page` holds `address`.
  func frame(of address: UInt64) -> UInt64 { (address &- base) / stride }

  /// The frame whose `struct page` holds `address`; nil if there is no such frame.
  func frame(describedAt address: VirtualAddress) -> UInt64? {
    let frame = frame(of: address.rawValue)
    return frame < 1 << (52 - pageShift) ? frame : nil
  }

  /// The address of the `struct page` of `frame`.
  func page(of frame: UInt64) -> UInt64 { base &+ frame &* stride }
}
