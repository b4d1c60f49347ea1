/// The word that `/proc/kpageflags` gives for a page. (`stable_page_flags`, fs/proc/page.c;
/// include/uapi/linux/kernel-page-flags.h)
///
/// Up to 6.9 the kernel copies the flags of the page itself, since 6.10 those of the head (dee3d0bef2b0 "proc: rewrite
/// stable_page_flags()"). PG_slab was removed at the same time, which distinguishes the two.
struct KPageFlags: Sendable {
  private let copied: [(bit: UInt64, mask: UInt64)]
  private let isByHead: Bool
  private let head: UInt64
  private let swapCache: UInt64
  private let poison: UInt64
  private let lru: UInt64
  private let types: PageTypes
  private let zero: Set<UInt64>
  private let hugeZero: UInt64?
  /// Whether the kernel examines a snapshot of the folio, and takes types from its head. (7.x, `struct page_snapshot`)
  private let typesAreByHead: Bool

  /// A page that has no `struct page`. (KPF_NOPAGE)
  static let noPage: UInt64 = 1 << 20

  private enum Bit {
    static let slab: UInt64 = 1 << 7
    static let buddy: UInt64 = 1 << 10
    static let mapped: UInt64 = 1 << 11
    static let anonymous: UInt64 = 1 << 12
    static let swapCache: UInt64 = 1 << 13
    static let head: UInt64 = 1 << 15
    static let tail: UInt64 = 1 << 16
    static let huge: UInt64 = 1 << 17
    static let poison: UInt64 = 1 << 19
    static let ksm: UInt64 = 1 << 21
    static let transparentHuge: UInt64 = 1 << 22
    static let offline: UInt64 = 1 << 23
    static let zero: UInt64 = 1 << 24
    static let table: UInt64 = 1 << 26
  }

  /// KPF_ bits that copy page flags, with the names of those flags, the newest first.
  private static let names: [(number: UInt64, flags: [String])] = [
    (0, ["locked"]), (1, ["error"]), (2, ["referenced"]), (3, ["uptodate"]), (4, ["dirty"]), (5, ["lru"]),
    (6, ["active"]), (8, ["writeback"]), (9, ["reclaim"]), (14, ["swapbacked"]), (18, ["unevictable"]),
    (25, ["idle"]), (32, ["reserved"]), (33, ["mlocked"]), (34, ["owner_2", "mappedtodisk"]), (35, ["private"]),
    (36, ["private_2"]), (37, ["owner_priv_1"]), (38, ["arch_1"]), (39, ["uncached"]), (41, ["arch_2"]),
    (42, ["arch_3"]),
  ]

  /// - Parameters:
  ///   - zero: the frames of the zero page.
  ///   - hugeZero: the first frame of the huge zero page; nil if there is none.
  init(_ layout: PageLayout, _ types: PageTypes, zero: Set<UInt64>, hugeZero: UInt64?, hasSnapshots: Bool) {
    var copied: [(bit: UInt64, mask: UInt64)] = []
    for (number, flags) in Self.names {
      let mask = flags.reduce(UInt64(0)) { $0 != 0 ? $0 : layout.mask($1) }
      if mask != 0 { copied.append((UInt64(1) << number, mask)) }
    }
    self.copied = copied
    isByHead = layout.mask("slab") == 0
    head = layout.mask("head")
    let backed = layout.mask("swapbacked"), cached = layout.mask("swapcache")
    swapCache = backed == 0 || cached == 0 ? 0 : backed | cached
    poison = layout.mask("hwpoison")
    lru = layout.mask("lru")
    self.types = types
    self.zero = zero
    self.hugeZero = hugeZero
    typesAreByHead = hasSnapshots
  }

  /// The word of a page.
  ///
  /// - Parameters:
  ///   - frame: its frame.
  ///   - record: its own record.
  ///   - folio: the compound page that it is in.
  ///   - isSlab: whether the folio is a slab.
  ///   - isFree: whether it is in a free block of the page allocator.
  @inline(__always)
  func word(_ frame: UInt64, _ record: PageRecord, _ folio: Folio, isSlab: Bool, isFree: Bool) -> UInt64 {
    let first = folio.record
    let flags = isByHead ? first.flags : record.flags
    var word: UInt64 = 0
    for copy in copied where flags & copy.mask != 0 { word |= copy.bit }
    if !isSlab, isMapped(record, folio) { word |= Bit.mapped }
    if first.mapping & 1 != 0 {
      word |= Bit.anonymous
      if first.mapping & 3 == 3 { word |= Bit.ksm }
    }
    let isTail = frame != folio.head
    if isTail { word |= Bit.tail } else if record.flags & head != 0 { word |= Bit.head }
    if folio.isHugetlb {
      word |= Bit.huge
    } else if folio.isLarge || isTail, isTransparentHuge(folio) {
      word |= Bit.transparentHuge
    } else if let hugeZero, folio.head == hugeZero {
      word |= Bit.zero | Bit.transparentHuge
    } else if zero.contains(frame) {
      word |= Bit.zero
    }
    if isFree { word |= Bit.buddy }
    let typed = typesAreByHead ? first.mapcount : record.mapcount
    if types.offline?.matches(typed) ?? false { word |= Bit.offline }
    if types.table?.matches(typed) ?? false { word |= Bit.table }
    if isSlab { word |= Bit.slab }
    if swapCache != 0, first.flags & swapCache == swapCache { word |= Bit.swapCache }
    if (isByHead && folio.isHugetlb ? first.flags : record.flags) & poison != 0 { word |= Bit.poison }
    return word
  }

  @inline(__always)
  private func isTransparentHuge(_ folio: Folio) -> Bool {
    isByHead ? folio.isRmappable : folio.record.flags & lru != 0 || folio.record.mapping & 1 != 0
  }

  @inline(__always)
  private func isMapped(_ record: PageRecord, _ folio: Folio) -> Bool {
    if folio.isMappedAsWhole { return true }
    return !types.isType(record.mapcount) && Int32(bitPattern: record.mapcount) >= 0
  }
}
