import Bytes
import VMSA

/// The array of `struct page`, read one by one or in bulk.
struct PageArray: Sendable {
  let memory: KernelMemory
  let vmemmap: Vmemmap
  let layout: PageLayout
  let types: PageTypes
  /// The offset from linear to physical addresses; nil if unknown.
  let linearOffset: UInt64?

  /// nil if nothing describes `struct page` or says where the array is.
  init?(_ context: KernelContext, _ arithmetic: Arithmetic) {
    guard let vmemmap = context.vmemmap(arithmetic) else { return nil }
    let known = context.types.value
    guard let layout = PageLayout(known, context.vmcoreinfo, size: Int(vmemmap.stride)) else { return nil }
    memory = context.memory
    self.vmemmap = vmemmap
    self.layout = layout
    types = PageTypes(known, context.vmcoreinfo, context.facts.version)
    linearOffset = arithmetic.linearOffset?.value
  }

  /// The record of the `struct page` of `frame`; nil if it cannot be read.
  func record(_ frame: UInt64) -> PageRecord? {
    memory.bytes(at: vmemmap.page(of: frame), count: layout.size).flatMap { bytes in
      PageRecord(bytes.rawSpan, at: 0, layout)
    }
  }

  /// The frame whose `struct page` is at `address`; nil if it is not one.
  func frame(at address: UInt64) -> UInt64? {
    let frame = vmemmap.frame(of: address)
    return frame < 1 << (52 - vmemmap.pageShift) && vmemmap.page(of: frame) == address ? frame : nil
  }

  /// The first frame of the compound page that `frame` is in; `frame` itself if it is in none.
  ///
  /// - Parameter next: the record of the next `struct page`, read only if needed.
  @inline(__always)
  func head(of frame: UInt64, _ record: PageRecord, next: () -> PageRecord?) -> UInt64 {
    if record.compound & 1 == 1 {
      if let head = self.frame(at: record.compound &- 1) { return head }
      // A mask since 7.1, if sizeof(struct page) is a power of two and hugetlb frees the vmemmap of tails.
      return self.frame(at: vmemmap.page(of: frame) & record.compound) ?? frame
    }
    // Up to 7.0 hugetlb maps the pages of tails onto that of the head: a tail at the start of a page looks like the
    // head; only the next one shows the difference. (`page_fixed_fake_head`, include/linux/page-flags.h)
    if record.flags & layout.mask("head") != 0, vmemmap.page(of: frame) & 4095 == 0, let after = next(),
      after.compound & 1 == 1, let head = self.frame(at: after.compound &- 1)
    {
      return head
    }
    return frame
  }

  /// The first frame of the compound page that `frame` is in.
  func head(of frame: UInt64, _ record: PageRecord) -> UInt64 {
    head(of: frame, record) { self.record(frame &+ 1) }
  }

  /// The order of the compound page whose first frame is `head`; 0 if it is not compound.
  func order(ofHead head: UInt64, _ record: PageRecord) -> Int {
    guard record.flags & layout.mask("head") != 0, let place = layout.order,
      let byte = memory.integer(UInt8.self, at: vmemmap.page(of: head) &+ UInt64(place.offset))
    else { return 0 }
    return byte < Self.orders ? Int(byte) : 0
  }

  /// Bytes of the compound page whose first frame is `head`; of one page if it is not compound.
  func byteCount(ofHead head: UInt64, _ record: PageRecord) -> UInt64 {
    UInt64(1) << (UInt64(order(ofHead: head, record)) + vmemmap.pageShift)
  }

  /// The linear address of `frame`; nil if the linear map is unknown.
  func linearAddress(of frame: UInt64) -> UInt64? { linearOffset.map { frame << vmemmap.pageShift &+ $0 } }

  /// MAX_FOLIO_ORDER is below this: 16 GiB of 4 KiB pages.
  static let orders: UInt8 = 30

  /// Whether the compound page whose head has `record` is a slab.
  @inline(__always)
  func isSlab(_ record: PageRecord) -> Bool {
    if let type = types.slab { return type.matches(record.mapcount) }
    return record.flags & layout.mask("slab") != 0
  }
}
