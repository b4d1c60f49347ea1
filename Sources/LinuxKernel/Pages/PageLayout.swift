import DebugInfo

/// The layout of `struct page`: its members, looked up once in types or VMCOREINFO.
struct PageLayout: Sendable {
  /// sizeof(struct page).
  let size: Int
  /// `flags`, an `unsigned long`, or a `memdesc_flags_t` since 6.18.
  let flags: Int
  /// `compound_info` since 7.1, before that `compound_head`; nil if unknown.
  let compound: Int?
  /// `_mapcount`, shared with `page_type`.
  let mapcount: Int
  /// `_refcount`.
  let refcount: Int
  /// `mapping`.
  let mapping: Int
  /// `index`, `__folio_index` since 6.16.
  let index: Int?
  /// `private`.
  let privateData: Int
  /// `memcg_data` since 5.11, before that `mem_cgroup`; nil without memory cgroups.
  let memcg: Int?
  /// Where the order of a compound page is stored.
  let order: Order?
  /// `compound_dtor` in the second page, up to 6.5.
  let destructor: Int?
  /// HUGETLB_PAGE_DTOR, up to 6.5.
  let hugetlbDestructor: UInt8?
  /// The mapcount of a compound page, as an offset from its head `struct page`: `_large_mapcount` since 6.10, before
  /// that of mappings as a whole. Biased by -1, like `_mapcount`.
  let wholeMapcount: Int?
  /// The bit numbers of the flags, by their names without "PG_".
  let bits: [String: Int]
  /// The name of each flag by bit number; nil for unnamed bits.
  let flagNames: [String?]

  /// Where a compound page stores its order, in its second `struct page`; offsets are from the first.
  enum Order: Sendable {
    /// A byte of its own: `compound_order`, or `folio._folio_order` in 6.3 to 6.5.
    case byte(Int)
    /// The low byte of `folio._flags_1`, the flags of the second page, since 6.6.
    case flags(Int)

    var offset: Int {
      switch self {
      case .byte(let offset), .flags(let offset): offset
      }
    }
  }

  /// nil if neither types nor VMCOREINFO describe `struct page`.
  ///
  /// - Parameter size: sizeof(struct page).
  init?(_ types: KernelTypes, _ vmcoreinfo: VMCoreInfo?, size: Int) {
    func offset(_ name: String) -> Int? {
      types.member(name, of: "page").flatMap { (0...size - 4).contains($0.offset) ? $0.offset : nil }
    }
    guard size >= 32, size <= 256, let flags = offset("flags"), let mapcount = offset("_mapcount"),
      let refcount = offset("_refcount"), let mapping = offset("mapping"), let privateData = offset("private")
    else { return nil }
    self.size = size
    self.flags = flags
    self.mapcount = mapcount
    self.refcount = refcount
    self.mapping = mapping
    self.privateData = privateData
    compound = offset("compound_info") ?? offset("compound_head")
    index = offset("__folio_index") ?? offset("index")
    memcg = offset("memcg_data") ?? offset("mem_cgroup")
    if let own = offset("compound_order") {
      order = .byte(size + own)
    } else if let own = types.member("_folio_order", of: "folio") {
      order = .byte(own.offset)
    } else if let second = types.member("_flags_1", of: "folio") {
      order = .flags(second.offset)
    } else {
      order = nil
    }
    destructor = offset("compound_dtor")
    hugetlbDestructor = vmcoreinfo?.number("HUGETLB_PAGE_DTOR").flatMap { UInt8(exactly: $0) }
    let whole = types.member("_large_mapcount", "_entire_mapcount", of: "folio")?.offset
    wholeMapcount = whole ?? offset("compound_mapcount").map { size + $0 }
    var bits: [String: Int] = [:]
    var names: [String?] = []
    for flag in types.enumerators(of: "pageflags") where flag.name.hasPrefix("PG_") && 0..<64 ~= flag.value {
      let name = String(flag.name.dropFirst(3))
      let bit = Int(flag.value)
      bits[name] = bit
      while names.count <= bit { names.append(nil) }
      // The first name of a bit is the general one; the others belong to one user each.
      names[bit] = names[bit] ?? name
    }
    for name in ["lru", "private", "swapcache", "swapbacked", "slab", "hwpoison", "hugetlb"] where bits[name] == nil {
      guard let bit = vmcoreinfo?.number("PG_\(name)"), bit < 64 else { continue }
      bits[name] = Int(bit)
      while names.count <= Int(bit) { names.append(nil) }
      names[Int(bit)] = names[Int(bit)] ?? name
    }
    if bits["head"] == nil, let mask = vmcoreinfo?.number("PG_head_mask"), mask.nonzeroBitCount == 1 {
      bits["head"] = mask.trailingZeroBitCount
    }
    self.bits = bits
    flagNames = names
  }

  /// The flag `name` as a mask; 0 if the kernel has no such flag.
  func mask(_ name: String) -> UInt64 { bits[name].map { 1 << UInt64($0) } ?? 0 }
}
