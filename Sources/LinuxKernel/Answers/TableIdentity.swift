import KernelLayout
import VMSA

extension AddressIdentity {
  /// A page table that contains an address.
  package struct TablePart: Sendable {
    /// The task that it belongs to; nil for the kernel's own.
    package let task: KernelTask?
    /// Its level: -1 to 3.
    package let level: Int
    /// The entry that the address is in.
    package let index: Int
    /// The first address that the entry translates.
    package let start: UInt64
    /// The last one.
    package let last: UInt64
  }
}

/// Identifies the page table that an address is in.
extension AddressIdentifier {
  /// Adds the table, if the frame may be one, or its symbol is that of one.
  func fillTable(_ identity: inout AddressIdentity) {
    // An address already known to be something else is not in a table.
    guard let physical = identity.physical,
      identity.kind == Region.linearMap.rawValue || isTableOfImage(identity) || isSmallRoot(identity)
    else { return }
    let use = tableUse(of: physical)
    guard use != .other || isTableOfImage(identity) || isSmallRoot(identity),
      let (table, task) = owner(of: physical, use)
    else {
      if use == .table { identity.kind = "page table" }
      return
    }
    let index = Int((physical.rawValue &- table.address.rawValue) / 8)
    let start = table.virtual.rawValue &+ UInt64(index) &<< UInt64(table.shift)
    identity.kind = "page table"
    identity.table = AddressIdentity.TablePart(
      task: task, level: table.level, index: index, start: start, last: start &+ (1 &<< UInt64(table.shift) &- 1))
  }

  /// Whether it is image data that may be a table: by its symbol, or if data has no symbols.
  private func isTableOfImage(_ identity: AddressIdentity) -> Bool {
    identity.resolution.region == .kernelImage
      && identity.resolution.symbol.map { $0.name.hasSuffix("_pg_dir") || $0.name.hasPrefix("bm_p") } ?? true
  }

  /// Whether it is a root table smaller than a page, which has a slab cache. (`pgd_cache_init`, arch/arm64/mm/pgd.c)
  private func isSmallRoot(_ identity: AddressIdentity) -> Bool {
    identity.slab?.cache.name == "pgd_cache" && identity.slab?.part == .object
  }

  /// What a frame can be, judged by its `struct page`.
  private enum TableUse {
    /// It is marked as a page table. Not all are: those of the upper levels only since 6.15.
    case table
    /// It never came from the page allocator, like tables made before there was one.
    case reserved
    /// A single page with one reference and no other mark.
    case anyone
    /// It is not a table.
    case other
  }

  private func tableUse(of physical: PhysicalAddress) -> TableUse {
    guard let pages = PageArray(context, arithmetic.value),
      let record = pages.record(physical.rawValue >> pages.vmemmap.pageShift)
    else { return .other }
    if pages.types.table?.matches(record.mapcount) ?? false { return .table }
    if record.flags & pages.layout.mask("reserved") != 0 { return .reserved }
    let isPlain = record.flags & (pages.layout.mask("lru") | pages.layout.mask("head")) == 0 && record.compound & 1 == 0
    return isPlain && record.refcount == 1 && record.mapping == 0 && record.mapcount == .max ? .anyone : .other
  }

  /// The table that `physical` is in, among the kernel's own and those of processes.
  private func owner(of physical: PhysicalAddress, _ use: TableUse) -> (SweptTable, KernelTask?)? {
    func search(_ tables: TranslationRegime?) -> SweptTable? {
      var finder = TableFinder(physical: physical)
      context.sweep(nil, of: tables, &finder)
      return finder.found
    }
    if let table = search(nil) { return (table, nil) }
    if use == .reserved { return nil }
    var seen: Set<PhysicalAddress> = []
    for task in tasks.value.elements {
      guard let root = task.root, seen.insert(root).inserted, seen.count <= Limits.searchedAddressSpaces else {
        continue
      }
      if let table = search(userTables.regime(root: root)) { return (table, task) }
    }
    return nil
  }
}

/// Looks for the table that holds a physical address. Tables of the last level need not be read for that.
private struct TableFinder: SweepObserver {
  let physical: PhysicalAddress
  var found: SweptTable?

  mutating func enter(_ table: SweptTable) -> Bool {
    if physical.rawValue &- table.address.rawValue < UInt64(table.entries) * 8 { found = found ?? table }
    return found == nil && table.level < 3
  }
}
