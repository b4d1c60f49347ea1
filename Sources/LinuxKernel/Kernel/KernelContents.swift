import Bytes
import CrashDump
import DebugInfo
import VMSA

/// What is in the memory of a kernel besides its tables, each part read when it is first asked for.
final class KernelContents: Sendable {
  let space: KernelMemory
  let vmcoreinfo: VMCoreInfo?
  let symbols: KernelSymbols
  let types: Lazy<KernelTypes>
  private let data: DataSectionScan?
  let moduleSymbols: ModuleSymbols
  let moduleTypes: Lazy<ModuleTypes>
  let modules: Lazy<Listing<KernelModule>>
  let areas: Lazy<Listing<VmallocArea>>
  let tasks: Lazy<Listing<KernelTask>>
  let perCPU: Lazy<PerCPU?>
  /// The parts of the image; empty where the symbols do not tell.
  let imageSections: Lazy<ImageSections>
  let ignoresTopByte: Lazy<Sourced<Bool>?>
  let hypervisor = AtomicOnce<Hypervisor>()
  let bootLog = AtomicOnce<BootMessages>()
  let rootTables = AtomicOnce<[RootTable]>()

  init(space: KernelMemory, vmcoreinfo: VMCoreInfo?, extra: [any SymbolSource], dwarf: DWARFTypes?) {
    let kallsyms = KernelKallsyms(space, vmcoreinfo)
    let search = ReadOnlyDataScan(space, vmcoreinfo, behind: kallsyms)
    let data = DataSectionScan(space, vmcoreinfo)
    let told: [any SymbolSource] = vmcoreinfo.map { [VMCoreInfoSymbols($0)] } ?? []
    let named = told + [kallsyms] + extra
    let types = Lazy {
      var sources: [any TypeLayout] = []
      if let btf = BTFLocator.types(space, named, search) { sources.append(btf) }
      if let vmcoreinfo, vmcoreinfo.hasTypes { sources.append(VMCoreInfoTypes(vmcoreinfo: vmcoreinfo)) }
      if let dwarf { sources.append(dwarf) }
      // What is told by its contents serves where nobody has the types.
      if dwarf == nil, !(sources.first is BTFTypes) {
        let shape = InferredTaskLayout(space, KernelSymbols(sources: named, exports: ExportTable(search)))
        if shape.isPresent { sources.append(shape) }
      }
      return KernelTypes(sources)
    }
    let symbols = KernelSymbols(
      sources: named, exports: ExportTable(search), recognised: RecognisedObjects(data, types))
    let areas = Lazy {
      VmallocReader(space: space, types: types.value).areas { symbols.symbol(named: $0)?.address }
    }
    let modules = Lazy { Self.modules(space, types.value, symbols) }
    self.space = space
    self.data = data
    self.vmcoreinfo = vmcoreinfo
    self.symbols = symbols
    self.types = types
    self.areas = areas
    self.modules = modules
    tasks = Lazy { Self.tasks(space, types.value, symbols) }
    imageSections = Lazy { Self.imageSections(symbols) }
    perCPU = Lazy { PerCPU(space, vmcoreinfo, symbols, types) }
    ignoresTopByte = Lazy { Self.topByteIgnored(kallsyms) }
    moduleTypes = Lazy { ModuleTypes(space, types.value, symbols, modules, data) }
    moduleSymbols = ModuleSymbols(
      tables: Lazy {
        let reader = ModuleReader(space, types.value)
        let room = Budget(Limits.moduleTables)
        return modules.value.elements.map { module in (module, Lazy { reader.symbols(of: module, room) }) }
      })
  }

  private static func modules(
    _ space: KernelMemory, _ types: KernelTypes, _ symbols: KernelSymbols
  ) -> Listing<KernelModule> {
    let reader = ModuleReader(space, types)
    guard reader.canRead else {
      return Listing(notes: ["the type module is not known: \(KernelTypes.advice)"])
    }
    guard let head = symbols.symbol(named: "modules")?.address else {
      return Listing(notes: [
        "the list of modules was not found: no symbol names it, and no module was recognised; "
          + "give --vmlinux or --system-map"
      ])
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

  /// The parts of the image by the first source that knows enough of them.
  private static func imageSections(_ symbols: KernelSymbols) -> ImageSections {
    symbols.sources.lazy.filter { !($0 is VMCoreInfoSymbols) }
      .map { ImageSections($0.addresses(of: ImageSections.symbols)) }.first { !$0.isEmpty } ?? ImageSections([:])
  }

  /// The module that `address` is in. Far from the image there is none, which takes no list to tell.
  func module(containing address: UInt64) -> KernelModule? {
    guard data?.isNearImage(address) ?? true else { return nil }
    return modules.value.elements.first { $0.contains(address) }
  }
}

/// Finds the BTF of a kernel: behind kallsyms by its header, or between its symbols.
enum BTFLocator {
  static func types(_ space: KernelMemory, _ symbols: [any SymbolSource], _ search: ReadOnlyDataScan?) -> BTFTypes? {
    let found = search?.btf()
    if let found, found.isComplete { return found }
    for source in symbols {
      let bounds = source.addresses(of: ["__start_BTF", "__stop_BTF"])
      guard let start = bounds[0], let end = bounds[1] else { continue }
      guard start < end, end - start <= UInt64(Limits.btfBytes),
        let bytes = space.bytes(at: start, count: Int(end - start))
      else { return nil }
      return BTFTypes(bytes, origin: "BTF in the dump")
    }
    return found
  }
}

extension Kernel {
  /// The types that are known.
  public var types: KernelTypes { contents.types.value }
  /// Kernel memory by virtual address.
  public var space: KernelMemory { contents.space }
  /// The loaded modules.
  public var modules: Listing<KernelModule> { contents.modules.value }
  /// The areas of vmalloc space.
  public var vmallocAreas: Listing<VmallocArea> { contents.areas.value }

  /// The log.
  public var log: Listing<LogRecord> {
    guard let vmcoreinfo else { return Listing(notes: ["the dump has no VMCOREINFO, which tells where the log is"]) }
    return LogReader(space: space, vmcoreinfo: vmcoreinfo, types: contents.types) {
      self.symbols.symbol(named: $0)?.address
    }.records()
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

  /// What is missing from the symbols: one sentence each. Where nothing of the modules can be read, it is not said.
  public var symbolNotes: [String] {
    guard ModuleReader(space, types).canRead else { return symbols.notes }
    return symbols.notes + modules.notes
      + contents.moduleSymbols.unreadable.map { "the symbols of the module \($0) cannot be read" }
  }

  /// The symbol that `address` lies in, of the kernel or of a module.
  public func symbol(containing address: UInt64) -> Symbol? {
    if let symbol = symbols.symbol(containing: address) { return symbol }
    // Which modules there are may take a search; none lies where nothing is mapped.
    guard let region = layout.layout?.region(of: address), region == .vmalloc || region == .modules,
      space.leaf(at: address) != nil, contents.module(containing: address) != nil
    else { return nil }
    return contents.moduleSymbols.symbol(containing: address)
  }
}
