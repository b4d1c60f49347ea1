import DebugInfo
import KernelLayout

/// The page types that the kernel stores in place of `_mapcount`, and their encoding. (include/linux/page-flags.h,
/// `enum pagetype`)
struct PageTypes: Sendable {
  let buddy: PageType?
  let offline: PageType?
  let table: PageType?
  let guardPage: PageType?
  let hugetlb: PageType?
  let slab: PageType?
  let zsmalloc: PageType?
  let largeKmalloc: PageType?
  /// Whether types are numbers in the top byte.
  private let isNumbered: Bool

  init(_ types: KernelTypes, _ vmcoreinfo: VMCoreInfo?, _ version: KernelVersion?) {
    let enumerators = types.enumerators(of: "pagetype")
    func value(_ name: String) -> UInt64? { enumerators.first { $0.name == name }.map { UInt64(bitPattern: $0.value) } }
    func type(_ name: String, _ key: String?, bit: UInt64? = nil) -> PageType? {
      // PGTY_: a number for the top byte, since 6.12; PG_: the bit that is clear, 6.11.
      if let number = value("PGTY_\(name)") { return PageType(number << 24) }
      if let mask = value("PG_\(name)") { return PageType(~mask) }
      if let key, let word = vmcoreinfo?.number("PAGE_\(key)_MAPCOUNT_VALUE") { return PageType(word) }
      return bit.map { PageType(~$0) }
    }
    let isOld = enumerators.isEmpty && !(version?.has(.numberedPageTypes) ?? false)
    // The kmemcg type, which preceded that of tables, was removed with the separate cgroup word (18b2db3b0385 "mm:
    // Convert page kmemcg type to a page memcg flag", 5.11).
    let hasKmemcg =
      types.member("memcg_data", of: "page") == nil
      && (types.member("mem_cgroup", of: "page") != nil || !(version?.has(.memcgDataInPages) ?? true))
    buddy = type("buddy", "BUDDY", bit: isOld ? 0x80 : nil)
    offline = type("offline", "OFFLINE")
    table = type("table", nil, bit: isOld ? hasKmemcg ? 0x400 : 0x200 : nil)
    guardPage = type("guard", nil, bit: isOld ? hasKmemcg ? 0x800 : 0x400 : nil)
    hugetlb = type("hugetlb", "HUGETLB")
    slab = type("slab", "SLAB")
    zsmalloc = type("zsmalloc", nil)
    largeKmalloc = type("large_kmalloc", nil)
    isNumbered = value("PGTY_buddy") != nil || (enumerators.isEmpty && !isOld)
  }

  /// The kernel's name for the page type in `word`; nil if it has none.
  func name(of word: UInt32) -> String? {
    let all: [(PageType?, String)] = [
      (offline, "offline"), (guardPage, "guard"), (zsmalloc, "zsmalloc"), (largeKmalloc, "large kmalloc"),
    ]
    return all.first { $0.0?.matches(word) ?? false }?.1
  }

  /// Whether the word at `_mapcount` is a page type, not a count.
  func isType(_ word: UInt32) -> Bool {
    // The bound is PGTY_mapcount_underflow in the top byte, before that PAGE_MAPCOUNT_RESERVE; values above are
    // mapcounts.
    Int32(bitPattern: word) < (isNumbered ? -1 << 24 : -128)
  }
}
