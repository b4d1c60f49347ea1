import KernelLayout
import VMSA

/// A permanent root table of the kernel, by the kernel's name.
package struct RootTable: Sendable {
  /// The name, such as "swapper_pg_dir".
  package let name: String
  /// Its address in the kernel image; nil if only its frame is known.
  package let virtual: UInt64?
  /// Its frame.
  package let physical: PhysicalAddress
  /// How it was found.
  package let source: String
}

extension RootTable {
  /// The known root tables of the kernel, `swapper_pg_dir` first: found by symbol, or by their place in the linker
  /// script, and confirmed by their contents. `init_pg_dir` is freed after boot.
  ///
  ///     idmap_pg_dir  tramp_pg_dir  reserved_pg_dir  swapper_pg_dir      a page each, in this order (5.11)
  ///
  /// (arch/arm64/kernel/vmlinux.lds.S; before 5.11 there is only `reserved_ttbr0`, with SW_TTBR0_PAN)
  static func all(of context: KernelContext) -> [RootTable] { RootTableFinder(kernel: context).find() }
}

private struct RootTableFinder {
  let kernel: KernelContext

  func find() -> [RootTable] {
    let facts = kernel.facts
    let swapper = facts.swapperPhysical
    var tables = [
      RootTable(
        name: "swapper_pg_dir", virtual: facts.swapperVirtual?.value.rawValue, physical: swapper.value,
        source: swapper.source)
    ]
    let names = [
      "reserved_pg_dir", "reserved_ttbr0", "tramp_pg_dir", "idmap_pg_dir", "init_pg_dir", "init_idmap_pg_dir",
    ]
    let symbols = kernel.symbols.addresses(of: names)
    if let offset = facts.kimageVoffset?.value {
      for name in names {
        guard let address = symbols[name] else { continue }
        let isOld = name.hasPrefix("init_") ? "; its memory was freed after boot" : ""
        tables.append(
          RootTable(
            name: name, virtual: address, physical: PhysicalAddress(address &- offset),
            source: "its symbol, minus kimage_voffset\(isOld)"))
      }
    }
    func isMissing(_ names: String...) -> Bool { !tables.contains { names.contains($0.name) } }
    func add(_ name: String, pagesBelow count: UInt64, _ why: String) {
      let distance = count &* kernel.regime.granule.size
      tables.append(
        RootTable(
          name: name, virtual: facts.swapperVirtual.map { $0.value.rawValue &- distance }, physical: below(count),
          source: "its place before swapper_pg_dir, and \(why)"))
    }
    if isMissing("reserved_pg_dir", "reserved_ttbr0"), hasReservedTable, isEmpty(below(1)) {
      add("reserved_pg_dir", pagesBelow: 1, "it is empty")
    }
    if isMissing("tramp_pg_dir") {
      for place in UInt64(1)...2 {
        guard let why = trampoline(below(place)) else { continue }
        add("tramp_pg_dir", pagesBelow: place, why)
        break
      }
    }
    if isMissing("idmap_pg_dir"), let text = kernel.symbols.symbol(named: "__idmap_text_start")?.address,
      let offset = facts.kimageVoffset?.value,
      let place = (1...8).first(where: { mapsToItself(below(UInt64($0)), text &- offset) })
    {
      add("idmap_pg_dir", pagesBelow: UInt64(place), "it maps __idmap_text_start to itself")
    }
    return tables
  }

  /// Whether the kernel has reserved_pg_dir.
  private var hasReservedTable: Bool {
    kernel.vmcoreinfo?.offset("uts_namespace.name") != nil || kernel.facts.has(.reservedTable) ?? false
  }

  private func below(_ pages: UInt64) -> PhysicalAddress {
    PhysicalAddress(kernel.facts.swapperPhysical.value.rawValue &- pages &* kernel.regime.granule.size)
  }

  private func isEmpty(_ root: PhysicalAddress) -> Bool {
    (try? kernel.dump.memory.bytes(at: root, count: Int(kernel.regime.granule.size)))?.allSatisfy { $0 == 0 } ?? false
  }

  private func regime(
    _ root: PhysicalAddress, _ register: TranslationRegime.Register, bits: Int? = nil
  ) -> TranslationRegime {
    let own = kernel.regime
    return TranslationRegime(
      register: register, granule: own.granule, tableBits: bits ?? own.tableBits,
      addressBits: bits ?? own.addressBits, format: own.format, physicalBits: own.physicalBits, root: root)
  }

  /// The evidence that the table at `root` is the trampoline's; nil if it is not.
  private func trampoline(_ root: PhysicalAddress) -> String? {
    let fixmap = kernel.layout.layout?.fixmap
    var counter = LeafCounter(fixmap: fixmap)
    kernel.sweep(nil, of: regime(root, .ttbr1EL1), &counter)
    guard !counter.isOther else { return nil }
    guard let table = counter.missing else {
      guard (1...16).contains(counter.count) else { return nil }
      return "it maps nothing but a few pages of " + (counter.isWritable ? "code in the fixmap" : "read-only code")
    }
    // The next-level table may not be in the dump.
    guard counter.count == 0, let fixmap, let entry = table.parent,
      entry.level == kernel.regime.startLevel,
      entry.virtual.rawValue <= fixmap.end &- 1, fixmap.end &- 1 <= entry.last
    else { return nil }
    return "it has one entry, that of the fixmap"
  }

  private func mapsToItself(_ root: PhysicalAddress, _ address: UInt64) -> Bool {
    [48, kernel.regime.tableBits].contains { bits in
      self.kernel.dump.memory.walk(regime(root, .ttbr0EL1, bits: bits), VirtualAddress(address)).leaf?.physical.rawValue
        == address
    }
  }
}

/// Counts the pages that tables map, and gives up if they cannot be the trampoline's.
private struct LeafCounter: SweepObserver {
  /// The fixmap, which has the trampoline; nil if the layout is unknown.
  let fixmap: AddressLayout.Span?
  var count = 0
  /// Whether one of them is writable, as with rodata=off.
  var isWritable = false
  var isOther = false
  /// The one table that cannot be read.
  var missing: SweptTable?

  mutating func enter(_ table: SweptTable) -> Bool { !isOther && count <= 16 }
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    count += 1
    if Attributes(entry.descriptor, tables: entry.tables).isWritable { isWritable = true }
    if entry.level < 3 || !(fixmap?.contains(entry.virtual.rawValue) ?? !isWritable) { isOther = true }
  }
  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) { isOther = true }
  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    // The pass reports each unreadable part of a table by itself.
    if table.parent == nil || missing.map({ $0.address != table.address }) ?? false { isOther = true }
    missing = table
  }
}
