import KernelVA

/// The input is the RAM of a kernel that nothing tells of: 64 pages that are zero but for the words of the records.
/// The root table, the banner and the names are searched for.
@Sendable func fuzzBareMemory(_ bytes: [UInt8]) {
  guard let dump = SmallKernel.dump(ram: SparseRAM.pages(64, bytes[...]), note: nil),
    let kernel = try? Kernel(in: dump, debugInfo: DebugInfoSearch(isEnabled: false))
  else { return }
  _ = (kernel.fullVerification, kernel.rootCandidates, kernel.regions())
  for candidate in kernel.rootCandidates { _ = candidate.evidence }
  for query in ["_stext", "swapper_pg_dir+8", hexText(kernel.regime.firstAddress)] { _ = kernel.identify(query) }
  _ = kernel.reverseMap(kernel.regime.root) { _ in }
}

/// The input is the image of a kernel that names none of its data: read-only data up to half of it, data behind.
/// All that is recognised by its looks is looked for.
///
///     0 _stext | 1000 the first half | swapper_pg_dir, tables | the second half
@Sendable func fuzzSearches(_ bytes: [UInt8]) {
  let half = min(bytes.count / 2, 32 << 10)
  guard
    let kernel = SearchedKernel.kernel(readOnly: Array(bytes[..<half]), data: Array(bytes[half...].prefix(32 << 10)))
  else { preconditionFailure("the tables are sound") }
  for name in ["init_task", "modules", "vmap_area_list", "prb", "__per_cpu_offset", "kmem_cache_alloc", "a"] {
    if let symbol = kernel.symbols.symbol(named: name) { _ = kernel.symbol(containing: symbol.address) }
  }
  kernel.forEachSymbol { _ in true }
  _ = (kernel.tasks, kernel.modules, kernel.vmallocAreas, kernel.log, kernel.cpus, kernel.types)
  _ = (kernel.symbols.origins, kernel.symbolNotes, kernel.fullVerification)
}

/// The input is raw memory that may lie elsewhere than it is said to: where its two halves are said to be, in MiB from
/// 1 GiB on, and the words of 512 pages, in the last of which is VMCOREINFO.
@Sendable func fuzzPlacedMemory(_ bytes: [UInt8]) {
  guard bytes.count > 2 else { return }
  var ram = SparseRAM.pages(512, bytes[2...])
  let text = Array((SmallKernel.vmcoreinfo.joined(separator: "\n") + "\n").utf8)
  let last = ram.count - 4096
  ram.replaceSubrange(last..<(last + text.count), with: text)
  let half = ram.count / 2
  let paths = [MemoryFile.path(Array(ram[..<half]), 0), MemoryFile.path(Array(ram[half...]), 1)]
  let name = paths.enumerated().map { "\($0.element)@\(hexText(1 << 30 + UInt64(bytes[$0.offset]) << 20))" }
  guard let dump = try? DumpFile(path: name.joined(separator: ","), cacheSize: 1 << 20) else { return }
  guard let kernel = try? Kernel(in: dump, debugInfo: DebugInfoSearch(isEnabled: false)) else { return }
  _ = (kernel.warnings, kernel.resolve("_stext", trace: true))
}

/// A kernel as `SmallKernel`, its root table between its read-only data and its data.
private enum SearchedKernel {
  static func kernel(readOnly: [UInt8], data: [UInt8]) -> Kernel? {
    func pages(_ bytes: [UInt8]) -> Int { (bytes.count + 4095) / 4096 }
    let root = 1 + pages(readOnly)
    let count = root + 4 + pages(data)
    var ram = [UInt8](repeating: 0, count: count << 12)
    func put(_ value: UInt64, _ page: Int, _ index: Int) {
      let at = page << 12 + index * 8
      withUnsafeBytes(of: value.littleEndian) { ram.replaceSubrange(at..<(at + 8), with: $0) }
    }
    for (level, index) in [0x100, 0, 0x40].enumerated() {
      put(SmallKernel.base + UInt64(root + level + 1) << 12 | 3, root + level, index)
    }
    for page in 0..<count { put(SmallKernel.base + UInt64(page) << 12 | 0x60_0000_0000_0703, root + 3, page) }
    ram.replaceSubrange(4096..<(4096 + readOnly.count), with: readOnly)
    ram.replaceSubrange(((root + 4) << 12)..<((root + 4) << 12 + data.count), with: data)
    let lines = SmallKernel.vmcoreinfo.filter { !$0.hasPrefix("SYMBOL(swapper_pg_dir)") }
    let swapper = "SYMBOL(swapper_pg_dir)=" + String(SmallKernel.text + UInt64(root) << 12, radix: 16)
    return SmallKernel.kernel(ram: ram, note: Array((lines + [swapper]).joined(separator: "\n").utf8))
  }
}

/// Memory that is zero but for words.
enum SparseRAM {
  /// `count` pages with the words of `records`.
  static func pages(_ count: Int, _ records: ArraySlice<UInt8>) -> [UInt8] {
    var ram = [UInt8](repeating: 0, count: count << 12)
    forEachWord(records) { number, value in
      let at = number % (ram.count / 8) * 8
      withUnsafeBytes(of: value.littleEndian) { ram.replaceSubrange(at..<(at + 8), with: $0) }
    }
    return ram
  }
}

/// The input is the BTF of a kernel and of a module that continues it, behind the length of the first.
@Sendable func fuzzSplitBTF(_ bytes: [UInt8]) {
  guard bytes.count > 2 else { return }
  let rest = bytes[2...]
  let length = min(Int(bytes[0]) | Int(bytes[1]) << 8, rest.count)
  guard let base = BTFTypes(Array(rest.prefix(length)), origin: "base"),
    let types = BTFTypes(Array(rest.dropFirst(length)), base: base, origin: "module")
  else { return }
  exercise(types)
}

/// The input is a System.map.
@Sendable func fuzzSystemMap(_ bytes: [UInt8]) {
  let path = MemoryFile.path(bytes)
  for text in [nil, 0xffff_8000_0801_0000] as [UInt64?] {
    if let map = try? SystemMap(path: path, text: text) { exercise(map) }
  }
}

/// The input is a dump in up to four files: how many, where each but the last ends as a fraction of the rest, and the
/// bytes of all. They are the parts of a split dump, or raw memory at two addresses.
@Sendable func fuzzParts(_ bytes: [UInt8]) {
  guard bytes.count > 5 else { return }
  var rest = bytes[5...]
  let count = 1 + Int(bytes[0] & 3)
  var paths: [String] = []
  for number in 0..<count {
    let share = number == count - 1 ? rest.count : rest.count * Int(bytes[1 + number]) / 255
    paths.append(MemoryFile.path(Array(rest.prefix(share)), number))
    rest = rest.dropFirst(share)
  }
  let isPlaced = bytes[0] & 0x80 != 0
  let name = paths.enumerated().map { isPlaced ? "\($0.element)@\(hexText(UInt64($0.offset) << 21))" : $0.element }
  for isMapped in [true, false] {
    if let dump = try? DumpFile(path: name.joined(separator: ","), cacheSize: 1 << 20, isMapped: isMapped) {
      exercise(dump)
    }
  }
}

/// The input is memory with a slab cache and the `struct page`s of its slabs in it, and the BTF that describes them.
@Sendable func fuzzSlabs(_ bytes: [UInt8]) {
  let lines = [
    "NUMBER(PHYS_OFFSET)=0x38000000", "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376",
    "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456", "LENGTH(zone.free_area)=11", SmallKernel.symbol("__start_BTF", 0),
    SmallKernel.symbol("__stop_BTF", 0x2000), SmallKernel.symbol("slab_caches", 0x29c0),
    SmallKernel.symbol("__per_cpu_offset", 0x2a00), SmallKernel.symbol("skip_orig_size_check", 0x100),
    "SYMBOL(vmemmap)=" + String(SmallKernel.input + 0x2000 - 0x40010 * 64, radix: 16),
  ]
  guard let kernel = SmallKernel.kernel(bytes, lines) else { preconditionFailure("the tables are sound") }
  _ = kernel.slabCaches
  for cache in kernel.slabCaches(named: { _ in true }).prefix(4) {
    _ = kernel.forEachSlabObject(of: cache) { _ in true }
    _ = kernel.slabCallers(of: cache)
    _ = kernel.forEachSlabDamage(of: cache) { _ in true }
  }
  for offset in stride(from: UInt64(0), to: UInt64(min(bytes.count, 1 << 15)), by: 520) {
    _ = kernel.identify(hexText(0xffff_0000_0801_0000 + offset))
  }
  guard let reader = kernel.pageReader else { return }
  for frames in kernel.ramFrames {
    reader.forEachFrame(frames) { frame in
      _ = kernel.pageOwner?.owner(of: frame)
      return true
    }
  }
  for frame in UInt64(0x4000e)..<0x40020 {
    _ = reader.frame(frame)
    _ = kernel.pageAllocations(of: frame)
  }
}
