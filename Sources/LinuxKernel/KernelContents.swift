import Bytes
import CrashDump
import DebugInfo
import VMSA

/// What is in the memory of a kernel besides its tables, each part read when it is first asked for.
final class KernelContents: Sendable {
  let space: KernelSpace
  let vmcoreinfo: VMCoreInfo?
  let symbols: KernelSymbols
  let types: Lazy<KernelTypes>
  let moduleSymbols: ModuleSymbols
  let modules: Lazy<Listing<KernelModule>>
  let areas: Lazy<Listing<VmallocArea>>
  let tasks: Lazy<Listing<KernelTask>>
  let perCPU: Lazy<PerCPU?>
  /// Where each part of the image begins, and which it is, in order; empty where the symbols do not tell.
  let imageMarks: Lazy<[ImageMark]>
  let ignoresTopByte: Lazy<Sourced<Bool>?>

  init(space: KernelSpace, vmcoreinfo: VMCoreInfo?, extra: [any SymbolSource], dwarf: DWARFTypes?) {
    let search = ImageSearch(space, vmcoreinfo)
    let kallsyms = KernelKallsyms(space, vmcoreinfo)
    let told: [any SymbolSource] = vmcoreinfo.map { [VMCoreInfoSymbols($0)] } ?? []
    let symbols = KernelSymbols(sources: told + [kallsyms] + extra, exports: ExportTable(search))
    let types = Lazy {
      var sources: [any TypeLayout] = []
      if let btf = BTFLocator.types(space, symbols, search) { sources.append(btf) }
      if let vmcoreinfo { sources.append(VMCoreInfoTypes(vmcoreinfo: vmcoreinfo)) }
      if let dwarf { sources.append(dwarf) }
      return KernelTypes(sources)
    }
    let areas = Lazy {
      VmallocReader(space: space, types: types.value).areas { symbols.symbol(named: $0)?.address }
    }
    let modules = Lazy { Self.modules(space, types.value, symbols, areas) }
    self.space = space
    self.vmcoreinfo = vmcoreinfo
    self.symbols = symbols
    self.types = types
    self.areas = areas
    self.modules = modules
    tasks = Lazy { Self.tasks(space, types.value, symbols) }
    imageMarks = Lazy { ImageMark.all(symbols) }
    perCPU = Lazy { PerCPU(space, vmcoreinfo, symbols, types) }
    ignoresTopByte = Lazy { Self.topByteIgnored(kallsyms) }
    moduleSymbols = ModuleSymbols(
      table: Lazy {
        let reader = ModuleReader(space, types.value)
        return modules.value.elements.flatMap { reader.symbols(of: $0) }
      })
  }

  private static func modules(
    _ space: KernelSpace, _ types: KernelTypes, _ symbols: KernelSymbols, _ areas: Lazy<Listing<VmallocArea>>
  ) -> Listing<KernelModule> {
    let reader = ModuleReader(space, types)
    guard reader.canRead else {
      return Listing(notes: ["the type module is not known: give --vmlinux, or a kernel with BTF"])
    }
    if let head = symbols.symbol(named: "modules")?.address { return reader.modules(head: head) }
    guard let head = reader.findHead(in: areas.value.elements) else {
      return Listing(notes: ["the list of modules was not found: no symbol names it, and no module was recognised"])
    }
    return reader.modules(head: head)
  }

  /// TCR_EL1.TBI1, which a kernel built with MTE sets on every CPU since 5.14: clearing the tags of a page
  /// needs it (TCR_MTE_FLAGS, arch/arm64/mm/proc.S; 013bb59dbb7c "arm64: mte: handle tags zeroing at page
  /// allocation time"). nil where the dump does not tell.
  private static func topByteIgnored(_ kallsyms: KernelKallsyms) -> Sourced<Bool>? {
    guard kallsyms.isPresent else { return nil }
    if kallsyms.symbol(named: "mte_zero_clear_page_tags") != nil {
      return Sourced(true, "the kernel is built with MTE: it has mte_zero_clear_page_tags")
    }
    if kallsyms.symbol(named: "kasan_tag_mismatch") != nil || kallsyms.symbol(named: "kasan_init_sw_tags") != nil {
      return Sourced(true, "the kernel is built with tag-based KASAN")
    }
    // From 5.10 to 5.13 it depended on the CPU.
    if kallsyms.symbol(named: "mte_sync_tags") != nil { return nil }
    return Sourced(false, "the kernel is built without MTE and tag-based KASAN")
  }

  /// Whether `address` lies between the image's first symbol and its last.
  func isInImage(_ address: UInt64) -> Bool {
    guard let first = imageMarks.value.first, let last = imageMarks.value.last, last.section == nil else {
      return false
    }
    return address >= first.start && address < last.start
  }

  /// The module that `address` is in.
  func module(containing address: UInt64) -> KernelModule? {
    modules.value.elements.first { $0.contains(address) }
  }
}

/// The beginning of a part of the kernel image.
struct ImageMark: Sendable {
  var start: UInt64
  /// nil where no part begins, but one ends.
  var section: String?

  static func all(_ symbols: KernelSymbols) -> [ImageMark] {
    let names = Kernel.imageMarkNames
    var marks: [ImageMark] = []
    for source in symbols.sources where !(source is VMCoreInfoSymbols) {
      let found = source.addresses(of: names.map(\.symbol))
      // `_stext` alone tells nothing of where the text ends.
      guard found.count > 4 else { continue }
      for (number, name) in names.enumerated() {
        if let start = found[number] { marks.append(ImageMark(start: start, section: name.section)) }
      }
      break
    }
    // Of two at one address the later in the kernel's order stands.
    return marks.enumerated().sorted { ($0.element.start, $0.offset) < ($1.element.start, $1.offset) }.map(\.element)
  }
}

/// Finds the BTF of a kernel: between its symbols, or by its header.
enum BTFLocator {
  static func types(_ space: KernelSpace, _ symbols: KernelSymbols, _ search: ImageSearch?) -> BTFTypes? {
    if let start = symbols.symbol(named: "__start_BTF")?.address, let end = symbols.symbol(named: "__stop_BTF")?.address
    {
      guard start < end, end - start <= UInt64(Limits.btfBytes),
        let bytes = space.bytes(at: start, count: Int(end - start))
      else { return nil }
      return BTFTypes(bytes, origin: "BTF in the dump")
    }
    return search?.btf().flatMap { BTFTypes($0, origin: "BTF in the dump") }
  }
}

extension ModuleReader {
  /// The head of the list of modules, found by a module's own structure: it lies in the module's memory, and
  /// its links lead to neighbours that link back. The link that lies in the kernel's image is the head.
  func findHead(in areas: [VmallocArea]) -> UInt64? {
    guard let list = types.member("list", of: "module"), let name = types.member("name", of: "module") else {
      return nil
    }
    let image = space.image
    for area in areas where area.end - area.start <= 64 << 20 && !area.flags.contains("ioremap") {
      var head: UInt64?
      space.forEachPiece(area.start..<area.end, overlap: 0) { start, bytes in
        for offset in stride(from: 0, to: bytes.count - 64, by: 8) {
          // struct module begins with its state, MODULE_STATE_LIVE being 0, and its list.
          guard bytes[offset] <= 3, bytes[offset + 1] == 0, bytes[offset + 2] == 0, bytes[offset + 3] == 0 else {
            continue
          }
          let link = start &+ UInt64(offset + list.offset)
          guard isName(bytes, offset + name.offset), let next = space.word(at: link), next >> 56 == 0xff,
            let previous = space.word(at: link &+ 8), space.word(at: next &+ 8) == link,
            space.word(at: previous) == link
          else { continue }
          let links = space.list(at: link, named: "modules")
          guard links.notes.isEmpty, let found = links.elements.first(where: { image.contains($0) }) else { continue }
          head = found
          return false
        }
        return true
      }
      if let head { return head }
    }
    return nil
  }

  private func isName(_ bytes: [UInt8], _ offset: Int) -> Bool {
    guard offset < bytes.count else { return false }
    let text = bytes[offset..<min(offset + 56, bytes.count)].prefix { $0 != 0 }
    return !text.isEmpty
      && text.allSatisfy { $0 == 0x5f || (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) }
  }
}

extension Kernel {
  /// The types that are known.
  public var types: KernelTypes { contents.types.value }
  /// Kernel memory by virtual address.
  public var space: KernelSpace { contents.space }
  /// The loaded modules.
  public var modules: Listing<KernelModule> { contents.modules.value }
  /// The areas of vmalloc space.
  public var vmallocAreas: Listing<VmallocArea> { contents.areas.value }

  /// The log.
  public var log: Listing<LogRecord> {
    guard let vmcoreinfo else { return Listing(notes: ["the dump has no VMCOREINFO, which tells where the log is"]) }
    return KernelLogReader(space: space, vmcoreinfo: vmcoreinfo) { self.symbols.symbol(named: $0)?.address }.records()
  }

  /// Calls `body` with each symbol of the kernel and then of its modules, until it returns false.
  public func forEachSymbol(_ body: (Symbol) -> Bool) {
    var goesOn = true
    symbols.forEachSymbol { symbol in
      goesOn = body(symbol)
      return goesOn
    }
    if goesOn { contents.moduleSymbols.forEachSymbol(body) }
  }

  /// The symbol that `address` lies in, of the kernel or of a module.
  public func symbol(containing address: UInt64) -> Symbol? {
    if let symbol = symbols.symbol(containing: address) { return symbol }
    // Which modules there are may take a search; none lies where nothing is mapped.
    guard let region = layout.layout?.region(of: address), region == .vmalloc || region == .modules,
      space.leaf(at: address) != nil, let module = contents.module(containing: address)
    else { return nil }
    return contents.moduleSymbols.symbol(containing: address, in: module)
      ?? Symbol(name: module.name, address: module.address, module: module.name)
  }
}
