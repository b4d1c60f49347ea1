import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// The kernel in a dump: its tables found, its addresses resolved.
///
///     let dump = try DumpFile(path: "vmcore")
///     let kernel = try Kernel(in: dump)
///     let translation = kernel.translate("init_task")
///
/// It may be used from any number of threads.
public final class Kernel: Sendable {
  /// The dump.
  public let dump: DumpFile
  /// What the kernel says of itself; nil when the dump has no such note.
  public let vmcoreinfo: VMCoreInfo?
  /// Where that is from, in words.
  public let vmcoreinfoSource: String?
  /// What has to be known of it, each with its source.
  public let facts: KernelFacts
  /// The tables of the upper half.
  public let regime: TranslationRegime
  /// Where its regions are.
  public let layout: DetectedLayout
  /// The names that are known.
  public var symbols: KernelSymbols { contents.symbols }
  /// The vmlinux and debuginfo files that may be asked.
  public let debugFiles: DebugFiles
  let contents: KernelContents
  /// MAIR_EL1, where it follows from the kernel.
  public let memoryTypes: Sourced<MemoryAttributeIndirection>?
  /// What the reader should know before trusting the answers, one sentence each.
  public let warnings: [String]
  /// What was held against each other at opening.
  public let verification: CrossChecks
  /// The root tables that were found by their structure, where the dump has no VMCOREINFO, the likeliest first;
  /// the first is the one that is used.
  public let rootCandidates: [RootCandidate]

  private let plausibility = AtomicOnce<EntryChecks>()
  let sourceLines: SourceLines?
  /// The bounds of the kernel image by its symbols, where they are known.
  let image: Range<UInt64>?
  /// `_stext`, where the kernel says it.
  private let text: UInt64?

  /// Finds the kernel in `dump`.
  ///
  /// - Parameters:
  ///   - overrides: facts that the dump lacks or has wrong.
  ///   - vmlinux: the kernel's ELF file, for its symbols.
  ///   - systemMap: the path of the kernel's System.map, for names that its kallsyms lacks.
  ///   - debugInfo: where else debuginfo of the kernel may be.
  ///   - force: use a vmlinux that is not of this kernel.
  ///   - progress: called, on any thread, with the number of bytes that a search of all memory has just
  ///     looked at; there is one only where the dump has no VMCOREINFO note.
  /// - Throws: `LocatedError` when the tables cannot be found, or the vmlinux is not the dump's.
  public init(
    in dump: DumpFile, overrides: KernelOverrides = KernelOverrides(), vmlinux: ELFImage? = nil,
    systemMap: String? = nil, debugInfo: DebugInfoSearch = DebugInfoSearch(), force: Bool = false,
    progress: (@Sendable (UInt64) -> Void)? = nil
  ) throws(LocatedError) {
    let found = VMCoreInfoSearch(overrides: overrides, progress: progress).find(in: dump)
    let dump = found.dump
    let vmcoreinfo = found.vmcoreinfo
    var sources: [any SymbolSource] = []
    var forced: [String] = []
    if let systemMap { sources.append(try SystemMap(path: systemMap, text: vmcoreinfo?.symbol("_stext"))) }
    if let vmlinux {
      do {
        try VMLinuxMatch.check(vmlinux, against: vmcoreinfo, of: dump)
      } catch {
        guard force else { throw error }
        forced.append("used all the same, as --force says: \(error.description)")
      }
      sources.append(try VMLinuxMatch.symbols(vmlinux, vmcoreinfo))
    }
    if let vmcoreinfo { sources.append(VMCoreInfoSymbols(vmcoreinfo)) }
    var resolver = KernelFactsResolver(dump: dump, vmcoreinfo: vmcoreinfo, overrides: overrides, symbols: sources)
    let (facts, regime, _) = try resolver.resolve()
    func leaf(_ address: UInt64) -> Leaf? { dump.memory.walk(regime, VirtualAddress(address)).leaf }
    let layout = DetectedLayout(facts, vmcoreinfo) { leaf($0) != nil }
    self.dump = dump
    self.vmcoreinfo = vmcoreinfo
    text = vmcoreinfo?.symbol("_stext")
    self.facts = facts
    self.regime = regime
    self.layout = layout
    let debugFiles = debugInfo.files(given: vmlinux, vmcoreinfo)
    self.debugFiles = debugFiles
    // A vmlinux that was given is the first source already.
    if vmlinux == nil, !debugFiles.isEmpty { sources.append(DebugFileSymbols(debugFiles, vmcoreinfo)) }
    let dwarf = debugFiles.isEmpty ? nil : DWARFTypes(report: debugInfo.report) { debugFiles.withDWARF }
    sourceLines = dwarf.map { SourceLines(debugFiles, $0, vmcoreinfo) }
    contents = KernelContents(
      space: KernelMemory(dump, regime, vmcoreinfo), vmcoreinfo: vmcoreinfo,
      extra: sources.filter { !($0 is VMCoreInfoSymbols) }, dwarf: dwarf)
    memoryTypes = LinuxMAIR.mair(
      facts.version,
      imageIndex: vmcoreinfo?.symbol("_stext").flatMap(leaf)?.attributes.attrIndex)
    vmcoreinfoSource = found.source
    rootCandidates = found.roots
    verification = CrossChecks(facts, regime, layout, vmcoreinfo, dump)
    // Of the text the resolver tells more: which step failed, and what to do.
    let doubts = verification.disagreements.filter { $0.name != "text" }
    let damage = (vmcoreinfo?.damage ?? []).map { "VMCOREINFO says \($0); ignored" }
    warnings = damage + resolver.warnings + doubts.map(\.warning) + dump.warnings + found.warnings + forced
    if let table = sources.first(where: { $0 is ELFSymbolTable }), let start = table.symbol(named: "_text"),
      let end = table.symbol(named: "_end"), start.address < end.address
    {
      image = start.address..<end.address
    } else {
      image = nil
    }
  }

  /// Walks the kernel's tables for `address`; a tag is taken off first.
  public func translate(_ address: VirtualAddress) -> WalkResult {
    self.dump.memory.walk(regime, address.untagged)
  }

  /// Translates many addresses, one after another.
  public func translator() -> Translator { Translator(regime, self.dump.memory) }

  /// Resolves what `query` asks for: an address, or a symbol with an offset.
  public func translate(_ query: String) -> Resolution { resolve(query) }

  /// Resolves what `text` asks for, with every entry of the walk if `trace` is true. Where the answer is no
  /// mapping, the walk is there always.
  ///
  /// - Parameter user: the tables that translate addresses of user space; without them these have no answer.
  public func resolve(_ text: String, trace: Bool = false, user: TranslationRegime? = nil) -> Resolution {
    let asked = lookUp(text)
    guard case .success(let found) = asked else {
      guard case .failure(let failure) = asked else { return Resolution(query: text, status: .badQuery) }
      return Resolution(query: text, status: failure.status, message: failure.message)
    }
    var resolution = resolve(found.address, query: text, trace: trace, user: user)
    if let symbol = found.symbol {
      resolution.symbol = symbol
      resolution.symbolOffset = found.offset
    } else if let address = resolution.virtual?.rawValue, address >> 55 & 1 == 1,
      let symbol = symbol(containing: address)
    {
      resolution.symbol = symbol
      resolution.symbolOffset = address &- symbol.address
    }
    return resolution
  }

  /// Resolves an address, as `resolve(_:trace:)` does a query.
  public func resolve(
    _ address: VirtualAddress, trace: Bool = false, user: TranslationRegime? = nil
  ) -> Resolution {
    resolve(address, query: hex(address.rawValue), trace: trace, user: user)
  }

  /// The tables of user space whose root is at `root`. They have the shape of the kernel's; a root that is
  /// smaller than a page need not lie at the start of one.
  public func userRegime(root: PhysicalAddress) -> TranslationRegime {
    let bits = userBits.value
    return TranslationRegime(
      register: .ttbr0EL1, granule: regime.granule, tableBits: max(regime.tableBits, bits),
      addressBits: max(regime.addressBits, bits), format: regime.format, physicalBits: regime.physicalBits, root: root)
  }

  /// The address that `query` asks for, its tag kept.
  public func address(of query: String) -> Result<VirtualAddress, QueryFailure> {
    lookUp(query).map(\.address)
  }

  /// Why a query leads to no address.
  public struct QueryFailure: Error, Sendable {
    /// `badQuery` or `unknownSymbol`.
    public let status: Resolution.Status
    /// What is wrong and what to do, in one line.
    public let message: String
  }

  private struct Found {
    var address: VirtualAddress
    var symbol: Symbol?
    var offset: UInt64 = 0
  }

  private func lookUp(_ text: String) -> Result<Found, QueryFailure> {
    let query: Query
    do throws(Query.Malformed) {
      query = try Query(text)
    } catch {
      return .failure(QueryFailure(status: .badQuery, message: error.message))
    }
    switch query.base {
    case .address(let value):
      return .success(Found(address: VirtualAddress(value &+ query.offset)))
    case .symbol(let name, let module, let cpu):
      let symbol: Symbol?
      if let module {
        guard contents.modules.value.elements.contains(where: { $0.name == module }) else {
          let reason = contents.modules.value.notes.first ?? "no such module is loaded"
          return .failure(QueryFailure(status: .unknownSymbol, message: "no module '\(module)': \(reason)"))
        }
        symbol = contents.moduleSymbols.symbol(named: name, module: module)
      } else {
        symbol = symbols.symbol(named: name) ?? contents.moduleSymbols.symbol(named: name)
      }
      guard let symbol else { return .failure(unknown(name)) }
      var address = symbol.address
      if let cpu {
        guard let moved = perCPUAddress(symbol.address, cpu: cpu) else {
          return .failure(
            QueryFailure(
              status: .unknownSymbol,
              message: "'\(name)' of CPU \(cpu): there is no such CPU, or __per_cpu_offset cannot be read"))
        }
        address = moved
      }
      return .success(
        Found(address: VirtualAddress(address &+ query.offset), symbol: symbol, offset: query.offset))
    }
  }

  /// Where CPU number `cpu` has its copy of the per-CPU variable whose template is at `address`.
  /// (`__per_cpu_offset`, mm/percpu.c)
  func perCPUAddress(_ address: UInt64, cpu: Int) -> UInt64? {
    guard let offsets = contents.perCPU.value?.offsets, cpu < offsets.count else { return nil }
    let moved = address &+ offsets[cpu]
    return space.leaf(at: moved) == nil ? nil : moved
  }

  private func unknown(_ name: String) -> QueryFailure {
    let near = symbols.names(like: name).filter { $0 != name }
    let known = symbols.origins.joined(separator: ", ")
    let advice =
      near.isEmpty
      ? "known are the symbols of: \(known.isEmpty ? "nothing" : known); give --vmlinux FILE for more"
      : "did you mean \(near.joined(separator: ", "))?"
    let message =
      ["no symbol '\(name)'", advice] + symbols.notes.filter { !known.isEmpty && $0.contains("is damaged") }
    return QueryFailure(status: .unknownSymbol, message: message.joined(separator: "; "))
  }

  private func resolve(
    _ pointer: VirtualAddress, query: String, trace: Bool, user: TranslationRegime?
  ) -> Resolution {
    let address = pointer.untagged
    if let resolution = resolveHypervisor(address, query: query, trace: trace, user: user) { return resolution }
    let tables = address.isUpperHalf ? regime : user ?? regime
    guard address.isCanonical(bits: tables.addressBits) else {
      var resolution = Resolution(
        query: query, status: .notCanonical,
        message: "not an address of \(tables.addressBits) bits: bits 54 to \(tables.addressBits) differ from bit 55")
      resolution.virtual = pointer
      resolution.region = .notCanonical
      return resolution
    }
    var resolution: Resolution
    if address.isUpperHalf {
      resolution = walk(regime, address, query: query, trace: trace)
    } else if let user {
      resolution = walk(user, address, query: query, trace: trace)
      resolution.noteAbsentPage(kernel: self)
    } else {
      resolution = Resolution(
        query: query, status: .badQuery,
        message: "an address of user space: say with --ttbr0 which tables translate it")
    }
    resolution.virtual = address
    resolution.tag = pointer.tag
    // Linux sets TCR_EL1.TBI0 always (TCR_TBI0, arch/arm64/mm/proc.S).
    if pointer.tag != nil {
      resolution.topByteIgnored = address.isUpperHalf ? contents.ignoresTopByte.value?.value : true
    }
    if resolution.region == nil {
      resolution.region = address.isUpperHalf ? region(of: address, mappedTo: resolution.physical) : .user
    }
    return resolution
  }

  /// Tells what no kernel writes.
  var plausible: EntryChecks { plausibility.value { EntryChecks(self) } }

  /// Why what the kernel's tables say of `address` may be wrong; nil where nothing says so.
  public func doubt(of address: VirtualAddress) -> String? {
    walk(regime, address.untagged, query: "", trace: false).doubt
  }

  func walk(
    _ regime: TranslationRegime, _ address: VirtualAddress, query: String, trace: Bool
  ) -> Resolution {
    var steps = WalkTrace()
    func walk(_ memory: some PhysicalMemory) -> WalkResult {
      regime.walk(address, in: memory, observer: &steps)
    }
    let result = walk(self.dump.memory)
    var resolution: Resolution
    switch result {
    case .mapped(let leaf):
      resolution = Resolution(query: query, status: .mapped)
      resolution.leaf = leaf
      resolution.absence = dump.memory.absence(at: leaf.physical)
      resolution.message = resolution.absence.map { dump.describe(MemoryFault($0, at: leaf.physical)) }
    case .unmapped(let level):
      resolution = Resolution(query: query, status: .unmapped, message: "the entry at level \(level) is invalid")
    case .tableMissing(let level, let fault):
      resolution = Resolution(
        query: query, status: .tableMissing,
        message: "its table of level \(level) cannot be read: \(dump.describe(fault))")
    case .corrupt(let level, .reservedEncoding):
      resolution = Resolution(
        query: query, status: .corrupt, message: "the entry at level \(level) has a reserved encoding")
    case .corrupt(let level, .addressOutOfRange(let target)):
      resolution = Resolution(
        query: query, status: .corrupt,
        message: "the entry at level \(level) points to \(hex(target.rawValue)), beyond the "
          + "\(regime.physicalBits) bits of physical addresses")
    case .notCanonical:
      resolution = Resolution(query: query, status: .notCanonical, message: "outside the range of the tables")
    }
    resolution.regime = regime
    if trace || resolution.status != .mapped { resolution.walk = steps.steps }
    if regime.register != .ttbr0EL2 {
      resolution.region = region(of: address, mappedTo: resolution.physical)
      resolution.doubt = plausible.doubt(address, result, steps.steps, resolution.absence, in: resolution.region)
    }
    return resolution
  }

  /// The region that `address`, which has no tag, lies in; nil when nothing tells the layout.
  ///
  /// - Parameter physical: where the tables map it. The image is what lies at kimage_voffset from its frames.
  public func region(of address: VirtualAddress, mappedTo physical: PhysicalAddress?) -> Region? {
    guard address.isCanonical(bits: regime.addressBits) else { return .notCanonical }
    guard address.isUpperHalf else { return .user }
    if let image, image.contains(address.rawValue) { return .kernelImage }
    if image == nil, let physical, let offset = facts.kimageVoffset?.value,
      address.rawValue &- offset == physical.rawValue, isNearText(address)
    {
      return .kernelImage
    }
    // Freed init code is not mapped any more, but its addresses are the image's still.
    if image == nil, physical == nil, isNearText(address), contents.imageSections.value.contains(address.rawValue) {
      return .kernelImage
    }
    // What VMCOREINFO names is in it, whatever is left of the tables.
    if image == nil, plausible.namedImage.contains(address.rawValue) { return .kernelImage }
    let region = layout.layout?.region(of: address.rawValue)
    // With KASLR modules lie near the image, outside the region that is named for them.
    if region == .vmalloc, physical != nil, contents.module(containing: address.rawValue) != nil { return .modules }
    return region
  }

  /// Whether the image may reach `address`.
  private func isNearText(_ address: VirtualAddress) -> Bool {
    text.map { ImageReach.around($0).contains(address.rawValue) } ?? false
  }

  /// Copies the bytes from virtual `address` on into `buffer`, page by page through the tables.
  public func read(_ address: VirtualAddress, into buffer: inout MutableRawSpan) throws(ReadFault) {
    var done = 0
    while done < buffer.byteCount {
      let here = (address &+ UInt64(done)).untagged
      let result = translate(here)
      guard let leaf = result.leaf else { throw .unmapped(here, result) }
      let rest = leaf.size - (leaf.physical.rawValue & (leaf.size - 1))
      let count = Int(min(rest, UInt64(buffer.byteCount - done)))
      var part = buffer._mutatingExtracting(done..<(done + count))
      do throws(MemoryFault) {
        try dump.memory.read(leaf.physical, into: &part)
      } catch {
        throw .absent(here, error)
      }
      done += count
    }
  }

  /// Why bytes at a virtual address cannot be read.
  public enum ReadFault: Error, Sendable {
    /// The tables do not map the address; how the walk ended.
    case unmapped(VirtualAddress, WalkResult)
    /// They do, but the frame is not in the dump.
    case absent(VirtualAddress, MemoryFault)
  }
}
