import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// Everything read from a kernel's memory, each part on first use, and the wiring between the parts.
final class KernelContents: Sendable {
  let context: KernelContext
  let modules: LoadedModules
  let names: KernelNames
  let moduleTypes: Lazy<ModuleTypes>
  let areas: Lazy<Listing<VmallocArea>>
  let tasks: Lazy<Listing<KernelTask>>
  /// The listed tasks, and the idle tasks, which are not on the list.
  let allTasks: Lazy<[KernelTask]>
  let perCPU: Lazy<PerCPU?>
  /// The array of struct page.
  let pages: Lazy<PageArray?>
  /// The slab allocator.
  let slabs: SlabAllocator
  /// The records of page_owner.
  let pageOwners: Lazy<PageOwners?>
  /// The reader of page frames.
  let pageReader: Lazy<PageReader?>
  /// The owners of page frames.
  let pageOwner: Lazy<PageOwner?>
  let sections: Lazy<ImageSections>
  let regions: RegionLookup
  let arithmetic: Lazy<Arithmetic>
  let checks: Lazy<EntryChecks>
  /// MAIR_EL1 without what the log says.
  let baseMemoryTypes: MemoryAttributeIndirection?
  let memoryTypes: Lazy<LinuxMAIR?>
  let rootTables: Lazy<[RootTable]>
  let hypervisor: Lazy<Hypervisor>
  let resolver: Resolver
  let sourceLines: SourceLines?
  /// What each CPU was doing.
  let cpus: Lazy<[CPUState]>
  /// The address spaces of processes.
  let addressSpaces: AddressSpaces
  /// The unwinder of tasks.
  let stacks: Lazy<TaskStackReader>
  private let ignoresTopByte: Lazy<Sourced<Bool>?>
  private let messages: Lazy<BootMessages>

  init(
    _ dump: DumpFile, _ regime: TranslationRegime, _ facts: KernelFacts, _ layout: DetectedLayout,
    _ span: ImageSpan, _ vmcoreinfo: VMCoreInfo?, extra: [any SymbolSource], dwarf: DWARFTypes?,
    sourceLines: SourceLines?, memoryTypes base: Sourced<MemoryAttributeIndirection>?
  ) {
    // A Realm does not share the image, or what its symbols lead to.
    let image = KernelMemory(dump, regime, vmcoreinfo)
    let kallsyms = KernelKallsyms(image, vmcoreinfo)
    let readOnly = ReadOnlyDataScan(image, vmcoreinfo, behind: kallsyms)
    let data = DataSectionScan(image, vmcoreinfo)
    let told: [any SymbolSource] = vmcoreinfo.map { [VMCoreInfoSymbols($0)] } ?? []
    let named = told + [kallsyms] + extra
    let types = Lazy {
      var sources: [any TypeLayout] = []
      if let btf = BTFLocator.types(image, named, readOnly) { sources.append(btf) }
      if let vmcoreinfo, vmcoreinfo.hasTypes { sources.append(VMCoreInfoTypes(vmcoreinfo: vmcoreinfo)) }
      // Without types, layouts are inferred from memory contents. DWARF is not opened to find out whether it has them.
      let inferred =
        sources.first is BTFTypes
        ? nil : InferredTaskLayout(image, KernelSymbols(sources: named, exports: ExportTable(readOnly)))
      if let dwarf {
        sources.append(inferred.map { TypesOrShape(dwarf: dwarf, shape: $0) } ?? dwarf)
      } else if let inferred, inferred.isPresent {
        sources.append(inferred)
      }
      return KernelTypes(sources)
    }
    let symbols = KernelSymbols(
      sources: named, exports: ExportTable(readOnly), recognised: RecognisedObjects(data, types))
    let messages = Lazy { BootMessages(Self.log(image, vmcoreinfo, types, symbols).elements) }
    let shared = Lazy { OutputAddresses.sharedBits(facts.version, regime, image) { symbols.symbol(named: $0) } }
    let outputs = Lazy { OutputAddresses(sharedBits: shared.value, physicalBits: messages.value.physicalBits) }
    let memory = KernelMemory(image, sharedBits: shared)
    let context = KernelContext(
      dump: dump, regime: regime, facts: facts, layout: layout, image: span, vmcoreinfo: vmcoreinfo, memory: memory,
      symbols: symbols, types: types, outputs: outputs)
    let modules = LoadedModules(memory, types, symbols, data)
    let moduleSymbols = ModuleSymbols(
      tables: Lazy {
        let reader = ModuleReader(memory, types.value)
        let room = Budget(Limits.moduleTables)
        return modules.list.value.elements.map { module in (module, Lazy { reader.symbols(of: module, room) }) }
      })
    let names = KernelNames(context, modules, moduleSymbols)
    let sections = Lazy { Self.imageSections(symbols) }
    let regions = RegionLookup(context, sections, modules)
    let arithmetic = Lazy { context.arithmetic }
    let checks = Lazy { EntryChecks(context, types: base?.value, arithmetic: arithmetic, sections: sections) }
    let perCPU = Lazy { PerCPU(memory, vmcoreinfo, symbols, types) }
    let ignoresTopByte = Lazy { TopByteIgnore.byFunctions(of: kallsyms) }
    let hypervisor = Lazy {
      let control = LinuxTCR(context: context, messages: messages, ignoresTopByte: ignoresTopByte)
      return HypervisorFinder(context, regions, control, arithmetic.value, types: base?.value).find()
    }
    self.context = context
    self.modules = modules
    self.names = names
    self.sections = sections
    self.regions = regions
    self.arithmetic = arithmetic
    self.checks = checks
    self.perCPU = perCPU
    let pages = Lazy { PageArray(context, arithmetic.value) }
    self.pages = pages
    let depot = Lazy { StackDepot(context) }
    let cgroups = Lazy { MemoryCgroups(memory, types.value) }
    slabs = SlabAllocator(context, pages, perCPU, depot, cgroups)
    pageOwners = Lazy { PageOwners(context, depot.value) }
    self.messages = messages
    self.ignoresTopByte = ignoresTopByte
    self.hypervisor = hypervisor
    baseMemoryTypes = base?.value
    memoryTypes = Lazy {
      base.map { base in
        // A kernel without MTE ignores that of the CPUs.
        LinuxMAIR(
          base, facts.version,
          hasMTE: messages.value.detected("Memory Tagging Extension")
            ?? (ignoresTopByte.value?.value == false ? false : nil))
      }
    }
    self.sourceLines = sourceLines
    moduleTypes = Lazy { ModuleTypes(memory, types.value, symbols, modules.list, data) }
    let areas = Lazy {
      VmallocReader(space: memory, types: types.value).areas { symbols.symbol(named: $0)?.address }
    }
    self.areas = areas
    let tasks = Lazy { TaskReader.tasks(memory, types.value, symbols) }
    let rootTables = Lazy { RootTable.all(of: context) }
    let cpus = Lazy {
      CPUStateReader(
        context: context, control: LinuxTCR(context: context, messages: messages, ignoresTopByte: ignoresTopByte),
        rootTables: rootTables.value, perCPU: perCPU.value, tasks: tasks
      ).all()
    }
    self.tasks = tasks
    self.rootTables = rootTables
    self.cpus = cpus
    addressSpaces = AddressSpaces(context, names, Lazy { UserTables(context) }, tasks, arithmetic)
    let allTasks = Lazy { IdleTasks.joined(with: tasks.value.elements, context, perCPU.value) }
    self.allTasks = allTasks
    stacks = Lazy { TaskStackReader(context, names, cpus, perCPU, allTasks) }
    let pageReader: Lazy<PageReader?> = Lazy {
      pages.value.map { array in
        let claims = Lazy {
          FrameClaimFinder(
            context: context, names: names, modules: modules, areas: areas.value.elements,
            tasks: tasks.value.elements, stacks: CPUStacks(context, perCPU.value), perCPU: perCPU.value, pages: array,
            nodes: PageFrames(context, arithmetic.value)?.nodes ?? []
          ).claims()
        }
        return PageReader(context, array, claims: claims)
      }
    }
    self.pageReader = pageReader
    let (slabs, spaces) = (slabs, addressSpaces)
    pageOwner = Lazy { pageReader.value.map { PageOwner(context, names, $0, slabs, spaces, cgroups) } }
    resolver = Resolver(
      context, names, modules, regions, perCPU: perCPU, hypervisor: hypervisor, ignoresTopByte: ignoresTopByte,
      checks: checks, cpus: cpus, panicCPU: Lazy { PanicCPU.number(symbols, memory) }, addressSpaces: addressSpaces)
  }

  /// The look-up of types by name.
  var typeLookup: TypeLookup { TypeLookup(types: context.types, modules: modules, moduleTypes: moduleTypes) }

  /// The evaluator of expressions.
  var evaluator: Evaluator {
    Evaluator(context: context, names: names, modules: modules, perCPU: perCPU, lookup: typeLookup)
  }

  /// The registers that depend on more than the tables.
  var control: LinuxTCR { LinuxTCR(context: context, messages: messages, ignoresTopByte: ignoresTopByte) }

  /// The tables of processes.
  var userTables: UserTables { UserTables(context) }

  /// The reader of the fault that killed the kernel.
  var faultReader: KernelFaultReader {
    KernelFaultReader(
      context: context, names: names, identifier: identifier, userTables: userTables, modules: modules,
      stacks: stacks, sourceLines: sourceLines)
  }

  /// The look-up of tasks.
  var taskQuery: TaskQuery { TaskQuery(context: context, tasks: tasks, cpus: cpus) }

  /// The identifier of addresses.
  var identifier: AddressIdentifier {
    AddressIdentifier(
      context: context, resolver: resolver, modules: modules, areas: areas, tasks: tasks, stacks: stacks,
      perCPU: perCPU, slabs: slabs, arithmetic: arithmetic, sourceLines: sourceLines, sections: sections,
      addressSpaces: addressSpaces, userTables: userTables, pageReader: pageReader, pageOwner: pageOwner)
  }

  /// The image sections, from the first symbol source that knows enough of them.
  private static func imageSections(_ symbols: KernelSymbols) -> ImageSections {
    symbols.sources.lazy.filter { !($0 is VMCoreInfoSymbols) }
      .map { ImageSections($0.addresses(of: ImageSections.symbols)) }.first { !$0.isEmpty } ?? ImageSections([:])
  }

  /// The log.
  var log: Listing<LogRecord> { Self.log(context.memory, context.vmcoreinfo, context.types, context.symbols) }

  /// The memory of the log.
  var logRanges: [Range<UInt64>] {
    Self.logReader(context.memory, context.vmcoreinfo, context.types, context.symbols)?.ranges ?? []
  }

  private static func logReader(
    _ memory: KernelMemory, _ vmcoreinfo: VMCoreInfo?, _ types: Lazy<KernelTypes>, _ symbols: KernelSymbols
  ) -> LogReader? {
    vmcoreinfo.map { vmcoreinfo in
      LogReader(space: memory, vmcoreinfo: vmcoreinfo, types: types) { symbols.symbol(named: $0)?.address }
    }
  }

  private static func log(
    _ memory: KernelMemory, _ vmcoreinfo: VMCoreInfo?, _ types: Lazy<KernelTypes>, _ symbols: KernelSymbols
  ) -> Listing<LogRecord> {
    guard let reader = logReader(memory, vmcoreinfo, types, symbols) else {
      return Listing(notes: [
        Diagnostic(.vmcoreinfoMissing, "the dump has no VMCOREINFO, which tells where the log is")
      ])
    }
    return reader.records()
  }
}
