import KernelVA

/// The input as memory from an address on.
private struct InputSpace: ByteSource {
  let path = "input"
  let bytes: [UInt8]
  static let start: UInt64 = 0xffff_8000_0900_0000
  var byteCount: UInt64 { .max }

  func word(at offset: UInt64) -> UInt64? { integer(UInt64.self, at: offset) }

  func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard offset >= Self.start, offset - Self.start <= UInt64(bytes.count), count >= 0,
      count <= bytes.count - Int(offset - Self.start), position >= 0, position <= buffer.byteCount,
      count <= buffer.byteCount - position
    else { return false }
    let from = Int(offset - Self.start)
    bytes.withUnsafeBytes { source in
      buffer.withUnsafeMutableBytes { target in
        UnsafeMutableRawBufferPointer(rebasing: target[position..<(position + count)]).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[from..<(from + count)]))
      }
    }
    return true
  }

  func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? { withCopy(of: range, body) }
}

/// The input is the part of the kernel's image with the tables of kallsyms, behind where the labels are: 32-bit
/// offsets of kallsyms_names, num_syms, token_table, token_index, offsets, relative_base.
@Sendable func fuzzKallsyms(_ bytes: [UInt8]) {
  guard bytes.count > 24 else { return }
  // The finder looks at 16 KiB from the digits on.
  let space = InputSpace(bytes: Array(bytes[24...]) + [UInt8](repeating: 0, count: 20_000))
  let labels = [
    "kallsyms_names", "kallsyms_num_syms", "kallsyms_token_table", "kallsyms_token_index", "kallsyms_offsets",
    "kallsyms_relative_base",
  ]
  let told = KallsymsFinder.tables(in: space) { name in
    labels.firstIndex(of: name).map { number in
      InputSpace.start + bytes[(number * 4)..<(number * 4 + 4)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    }
  }
  let found = KallsymsFinder.anchors(in: space.bytes).prefix(4).flatMap {
    KallsymsFinder.tables(around: InputSpace.start + UInt64($0), in: space)
  }
  for tables in (told + found).prefix(8) {
    guard let table = Kallsyms(tables, in: space) else { continue }
    _ = table.symbol(named: "_stext")
    _ = table.addresses(of: ["_stext", "_etext", "init_task"])
    for address in [0, 0xffff_8000_0801_0000, 0xffff_8000_0801_1234, .max] as [UInt64] {
      _ = table.symbol(containing: address)
    }
    var count = 0
    table.forEachSymbol { _ in
      count += 1
      return true
    }
    precondition(count <= table.count)
  }
}

/// The input is BTF.
@Sendable func fuzzBTF(_ bytes: [UInt8]) {
  if let types = BTFTypes(bytes, origin: "input") { exercise(types) }
}

func exercise(_ types: BTFTypes) {
  for name in ["task_struct", "module", "mm_struct", "list_head", "int", "a", ""] {
    _ = types.size(of: name)
    for path in ["tasks", "pid", "thread_info.cpu", "mem", "a", "b.c", "list.next", "", "."] {
      if let member = types.member(path, of: name) {
        precondition(member.offset >= 0 && member.size >= 0)
        if let bits = member.bits { precondition(bits.lowerBound >= 0 && bits.upperBound <= member.size * 8) }
      }
    }
  }
  _ = types.perCPUVariables
  let header = CHeader("input", room: 1 << 16)
  header.add(types.ownTypes)
  exercise(types as any TypeGraph)
}

/// Goes through whole types.
func exercise(_ graph: any TypeGraph) {
  var left = 64
  graph.forEachType { name, type in
    left -= 1
    _ = (type.text, type.size, type.path(at: 9), graph.types(named: name).count, CLayoutPrinter.lines(of: type).count)
    if let record = type.record { _ = (record.member(named: "pid"), record.memberNames.count) }
    return left > 0
  }
  for name in ["a", "schedule", "init_task", "main", "loud", ""] {
    if case .function(let function)? = graph.function(named: name)?.shape { _ = function.result.text }
    _ = (graph.variable(named: name)?.size, graph.enumerator(named: name)?.value)
  }
}

/// The input is a vmlinux.
@Sendable func fuzzVMLinux(_ bytes: [UInt8]) {
  let path = MemoryFile.path(bytes)
  guard let image = try? ELFImage(path: path) else { return }
  _ = image.buildID
  _ = image.text(at: 0x1000, limit: 512)
  if let symbols = try? ELFSymbolTable(image, slide: 0) { exercise(symbols) }
  let types = DWARFTypes(image)
  for name in ["point", "task_struct"] {
    _ = types.size(of: name)
    for path in ["x", "y.z", "bits"] { _ = types.member(path, of: name) }
  }
  exercise(types as any TypeGraph)
  for address in [0, 4, 0x1000] as [UInt64] { _ = types.sourceLine(at: address) }
}

func exercise(_ symbols: some SymbolSource) {
  _ = symbols.symbol(named: "main")
  for address in [0, 4, 0x1000, .max, 8] as [UInt64] { _ = symbols.symbol(containing: address) }
  symbols.forEachSymbol { _ in true }
}
