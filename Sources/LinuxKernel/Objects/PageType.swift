/// A page type, which the kernel stores in place of `_mapcount`, from a value that VMCOREINFO names
/// (PAGE_BUDDY_MAPCOUNT_VALUE and the like).
///
/// The value itself shows its encoding, so no version is needed:
///
///     until 4.17     -128, -256 ...     all of it is the type
///     4.18 to 6.11   all bits but one   the type is the clear bit; the other high bits are set
///     since 6.12     0xNN000000         the type is the top byte
///
/// Since 6.11 the low 16 bits may hold something else. (include/linux/page-flags.h, PAGE_TYPE_OPS)
struct PageType: Hashable, Sendable {
  private let mask: UInt32
  private let value: UInt32

  /// - Parameter number: the value in VMCOREINFO, in two's complement.
  init(_ number: UInt64) {
    let word = UInt32(truncatingIfNeeded: number)
    let clear = ~word
    if word & 0x00ff_ffff == 0 {
      mask = 0xff00_0000
    } else if clear.nonzeroBitCount == 1 {
      mask = 0xf000_0000 | clear
    } else {
      mask = 0xffff_ffff
    }
    value = word & mask
  }

  /// Whether a `struct page` whose `_mapcount` has the bits of `word` is of this type.
  func matches(_ word: UInt32) -> Bool { word & mask == value }
}
