import KernelVA

/// A kernel of 4 KiB pages and 48-bit addresses around fuzzed memory.
///
///     physical    virtual             what
///     40000000    ffff800008000000    _stext
///     40001000    ffff800008001000    swapper_pg_dir, then its tables of level 1, 2 and 3
///     40010000    ffff800008010000    the input, as many pages as it has, 480 at most
///
/// The same is at ffff000008000000, where a linear map of RAM from 38000000 on would have it.
enum SmallKernel {
  static let base: UInt64 = 0x4000_0000
  static let text: UInt64 = 0xffff_8000_0800_0000
  /// Where the input is.
  static let input: UInt64 = text + 0x10000

  static let vmcoreinfo = [
    "OSRELEASE=6.1.0-fuzz", "PAGESIZE=4096", "SYMBOL(swapper_pg_dir)=ffff800008001000",
    "SYMBOL(_stext)=ffff800008000000", "NUMBER(VA_BITS)=48", "NUMBER(TCR_EL1_T1SZ)=0x10",
    "NUMBER(kimage_voffset)=0xffff7fffc8000000", "NUMBER(PHYS_OFFSET)=0x40000000", "KERNELOFFSET=0",
    "OFFSET(uts_namespace.name)=0", "SIZE(page)=64",
  ]

  /// `SYMBOL(name)`, `offset` bytes into the input.
  static func symbol(_ name: String, _ offset: UInt64) -> String {
    "SYMBOL(\(name))=\(String(input + offset, radix: 16))"
  }

  /// The kernel in a dump of `memory`, described by these lines besides.
  ///
  /// - Parameter isExecutable: map all of it without PXN.
  static func kernel(_ memory: [UInt8], _ lines: [String], isExecutable: Bool = false) -> Kernel? {
    let pages = min((memory.count + 4095) / 4096, 480)
    var ram = [UInt8](repeating: 0, count: (16 + pages) * 4096)
    func put(_ value: UInt64, _ at: Int) {
      withUnsafeBytes(of: value.littleEndian) { ram.replaceSubrange(at..<(at + 8), with: $0) }
    }
    put(base + 0x2003, 0x1000)
    put(base + 0x2003, 0x1000 + 0x100 * 8)
    put(base + 0x3003, 0x2000)
    put(base + 0x4003, 0x3000 + 0x40 * 8)
    let attributes: UInt64 = isExecutable ? 0x40_0000_0000_0703 : 0x60_0000_0000_0703
    for page in 0..<(16 + pages) { put(base + UInt64(page) << 12 | attributes, 0x4000 + page * 8) }
    let stored = min(memory.count, pages * 4096)
    ram.replaceSubrange(0x10000..<(0x10000 + stored), with: memory[..<stored])
    return kernel(ram: ram, note: Array((vmcoreinfo + lines).joined(separator: "\n").utf8))
  }

  /// The kernel in a core whose RAM begins at `base`.
  static func kernel(ram: [UInt8], note: [UInt8]) -> Kernel? {
    dump(ram: ram, note: note).flatMap { try? Kernel(in: $0, debugInfo: DebugInfoSearch(isEnabled: false)) }
  }

  /// The core, without a note of VMCOREINFO where `note` is nil.
  static func dump(ram: [UInt8], note: [UInt8]?) -> DumpFile? {
    guard let dump = try? DumpFile(path: MemoryFile.path(core(ram, note)), cacheSize: 1 << 20) else {
      preconditionFailure("the core around the input is sound")
    }
    return dump
  }

  /// An ELF core of one note, or none, and one segment.
  private static func core(_ ram: [UInt8], _ text: [UInt8]?) -> [UInt8] {
    func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    func words(_ values: [UInt64]) -> [UInt8] { values.flatMap(little) }
    let name = Array("VMCOREINFO\0\0".utf8)
    let note = text.map { little(UInt32(11)) + little(UInt32($0.count)) + little(UInt32(0)) + name + $0 } ?? []
    let start: UInt64 = 64 + 2 * 56
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += little(UInt16(4)) + little(UInt16(183)) + little(UInt32(1)) + words([0, 64, 0]) + little(UInt32(0))
    file += [64, 56, 2, 0, 0, 0].flatMap { little(UInt16($0)) }
    file += little(UInt32(4)) + little(UInt32(0)) + words([start, 0, 0, UInt64(note.count), UInt64(note.count), 0])
    file += little(UInt32(1)) + little(UInt32(7))
    file += words([start + UInt64(note.count), base, base, UInt64(ram.count), UInt64(ram.count), 0])
    return file + note + ram
  }
}

/// The input is the text of VMCOREINFO.
@Sendable func fuzzVMCoreInfo(_ bytes: [UInt8]) {
  let info = VMCoreInfo(bytes)
  _ = (info.symbols, info.release, info.buildID, info.pageSize, info.crashTime, info.kernelOffset)
  for name in ["page", "prb_desc", "PG_slab", "VA_BITS", "page.flags", ""] {
    _ = (info.number(name), info.symbol(name), info.size(name), info.offset(name), info.length(name))
  }
  var ram = [UInt8](repeating: 0, count: 16 * 4096)
  for (at, value) in [
    (0x1800, 0x4000_2003), (0x2000, 0x4000_3003), (0x3200, 0x4000_4003), (0x4000, 0x60_0000_4000_0703),
    (0x4008, 0x60_0000_4000_1703), (0x4028, 0x60_0000_4000_5703),
  ] as [(Int, UInt64)] {
    withUnsafeBytes(of: value.littleEndian) { ram.replaceSubrange(at..<(at + 8), with: $0) }
  }
  if let kernel = SmallKernel.kernel(ram: ram, note: bytes) { exercise(kernel) }
}

/// The input is memory with lists of tasks, modules and areas of vmalloc in it, and the BTF that describes them.
///
///     0 BTF | 1000 init_task | 2000 modules | 2010 vmap_area_list | 2020 __per_cpu_offset
@Sendable func fuzzLists(_ bytes: [UInt8]) {
  let lines = [
    SmallKernel.symbol("__start_BTF", 0), SmallKernel.symbol("__stop_BTF", 0x1000),
    SmallKernel.symbol("init_task", 0x1000), SmallKernel.symbol("modules", 0x2000),
    SmallKernel.symbol("vmap_area_list", 0x2010), SmallKernel.symbol("__per_cpu_offset", 0x2020),
    SmallKernel.symbol("__entry_task", 0x2040),
  ]
  guard let kernel = SmallKernel.kernel(bytes, lines) else { preconditionFailure("the tables are sound") }
  _ = (kernel.tasks, kernel.modules, kernel.vmallocAreas, kernel.cpus)
  kernel.forEachSymbol { _ in true }
  for kind in ContainerKind.allCases {
    for offset in [0x1000, 0x2000, 0x2010] as [UInt64] {
      let found = kernel.evaluator.elements(kind, at: SmallKernel.input + offset, offset: 8)
      precondition(found.reduce(0) { count, _ in count + 1 } <= bytes.count)
    }
  }
  for offset in stride(from: UInt64(0), to: UInt64(min(bytes.count, 1 << 16)), by: 520) {
    _ = kernel.identify(hexText(SmallKernel.input + offset))
  }
  _ = kernel.reverseMap(PhysicalAddress(SmallKernel.base), task: kernel.addressSpaces.first) { _ in }
}

/// The input is memory with the kernel's log in it, behind a byte that says of which kind it is.
@Sendable func fuzzLog(_ bytes: [UInt8]) {
  guard let kind = bytes.first else { return }
  // Offsets of Linux 6.1, and of 5.4.
  let ring = [
    SmallKernel.symbol("prb", 0), "SIZE(printk_ringbuffer)=80", "OFFSET(printk_ringbuffer.desc_ring)=0",
    "OFFSET(printk_ringbuffer.text_data_ring)=40", "SIZE(prb_desc_ring)=40", "OFFSET(prb_desc_ring.count_bits)=0",
    "OFFSET(prb_desc_ring.descs)=8", "OFFSET(prb_desc_ring.infos)=16", "OFFSET(prb_desc_ring.head_id)=24",
    "OFFSET(prb_desc_ring.tail_id)=32", "SIZE(prb_desc)=24", "OFFSET(prb_desc.state_var)=0",
    "OFFSET(prb_desc.text_blk_lpos)=8", "OFFSET(prb_data_blk_lpos.begin)=0", "OFFSET(prb_data_blk_lpos.next)=8",
    "SIZE(printk_info)=88", "OFFSET(printk_info.seq)=0", "OFFSET(printk_info.ts_nsec)=8",
    "OFFSET(printk_info.text_len)=16", "OFFSET(printk_info.caller_id)=20", "OFFSET(prb_data_ring.size_bits)=0",
    "OFFSET(prb_data_ring.data)=8",
  ]
  let buffer = [
    SmallKernel.symbol("log_buf", 0), SmallKernel.symbol("log_buf_len", 8), SmallKernel.symbol("log_first_idx", 12),
    SmallKernel.symbol("log_next_idx", 16), "SIZE(printk_log)=16", "OFFSET(printk_log.ts_nsec)=0",
    "OFFSET(printk_log.len)=8", "OFFSET(printk_log.text_len)=10", "OFFSET(printk_log.dict_len)=12",
  ]
  let kernel = SmallKernel.kernel(Array(bytes.dropFirst()), kind & 1 == 0 ? ring : buffer)
  guard let kernel else { preconditionFailure("the tables are sound") }
  _ = kernel.log
}

/// The input is a query.
@Sendable func fuzzQuery(_ bytes: [UInt8]) {
  let text = String(decoding: bytes, as: UTF8.self)
  _ = try? Query(text)
  _ = Query.number(text)
  let kernel = queriedKernel
  let resolution = kernel.resolve(text, trace: true)
  if let address = resolution.virtual, let region = resolution.region {
    _ = kernel.arithmetic.answer(address, in: region)
    _ = kernel.frame(of: address, in: region, mappedTo: resolution.physical)
    _ = kernel.fixmapSlot(of: address, in: region)
  }
  _ = kernel.identify(text)
  if case .success(let user) = kernel.userRegime(text) { _ = kernel.resolve("0x1000", user: user) }
}

/// The input is an expression, and the members of an element.
@Sendable func fuzzExpression(_ bytes: [UInt8]) {
  let text = String(decoding: bytes, as: UTF8.self)
  let evaluator = queriedKernel.evaluator
  do throws(ExpressionFailure) {
    let operand = try evaluator.evaluate(text)
    _ = try evaluator.read(operand, ValueExtent(depth: 4, elements: 16, explainsPointers: true))
  } catch {
    precondition(!error.message.isEmpty)
    if let range = error.range { precondition(range.lowerBound >= 0 && range.upperBound <= text.utf8.count) }
  }
  _ = try? evaluator.members(text)
  _ = try? evaluator.container(text)
  _ = try? evaluator.elementType(text, .list)
  _ = queriedKernel.types(named: text)
}

/// What queries are put to.
let queriedKernel: Kernel = {
  guard let kernel = SmallKernel.kernel([UInt8](repeating: 0x5a, count: 8192), ["SYMBOL(init_task)=ffff800008010000"])
  else { preconditionFailure("the kernel is sound") }
  return kernel
}()

/// Asks a kernel everything.
func exercise(_ kernel: Kernel) {
  for query in ["_stext", "swapper_pg_dir+8", "0xffff800008005010", "0xffff000000000000", "no_such_symbol", "a@cpu0"] {
    _ = kernel.resolve(query, trace: true)
    _ = kernel.identify(query)
  }
  _ = (kernel.cpus, kernel.tasks, kernel.modules, kernel.vmallocAreas, kernel.log, kernel.symbols.origins)
  exerciseTables(kernel)
}

/// Goes over all tables of a kernel.
func exerciseTables(_ kernel: Kernel) {
  _ = kernel.regions()
  _ = kernel.audit()
  _ = kernel.mappedRanges { _ in }
  _ = kernel.kernelListing { _ in }
  _ = kernel.reverseMap(PhysicalAddress(SmallKernel.base)) { _ in }
}

func hexText(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
