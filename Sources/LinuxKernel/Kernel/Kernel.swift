import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// The kernel in a dump: its tables found, its addresses resolved.
///
///     let dump = try DumpFile(path: "vmcore")
///     let kernel = try Kernel(in: dump)
///     let answer = kernel.resolve("init_task")
///
/// It may be used from any number of threads.
public final class Kernel: Sendable {
  let contents: KernelContents
  /// The vmlinux and debuginfo files that may be asked.
  package let debugFiles: DebugFiles
  /// Where VMCOREINFO is from, in words.
  package let vmcoreinfoSource: String?
  /// MAIR_EL1, where it follows from the kernel.
  package var memoryTypes: Sourced<MemoryAttributeIndirection>? { contents.memoryTypes.value?.register }
  /// The memory type of an AttrIndx; nil if MAIR_EL1 does not follow from the kernel. The log is read for index 1 alone.
  package func memoryType(_ index: Int) -> MemoryType? {
    (index == 1 ? memoryTypes?.value : contents.baseMemoryTypes)?.memoryType(index)
  }
  /// The bits of MAIR_EL1 that are known: AttrIndx 1 depends on whether the CPUs have MTE, which the log says.
  package var knownMemoryTypes: UInt64 { contents.memoryTypes.value?.known ?? 0 }
  /// What the reader should know before trusting the answers.
  public let warnings: [Diagnostic]
  /// What was held against each other at opening.
  package let verification: CrossChecks
  /// The root tables that were found by their structure, if the dump has no VMCOREINFO, the likeliest first;
  /// the first is the one that is used.
  package let rootCandidates: [RootCandidate]

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
    var forced: [Diagnostic] = []
    if let systemMap { sources.append(try SystemMap(path: systemMap, text: vmcoreinfo?.symbol("_stext"))) }
    if let vmlinux {
      do {
        try VMLinuxMatch.check(vmlinux, against: vmcoreinfo, of: dump)
      } catch {
        guard force else { throw error }
        forced.append(
          Diagnostic(.vmlinuxForced, error.file, "used all the same: \(error.description)"))
      }
      do {
        sources.append(try VMLinuxMatch.symbols(vmlinux, vmcoreinfo))
      } catch {
        // Its DWARF may still serve, and the dump has names of its own.
        guard error.kind == .missing, vmlinux.buildID != nil || vmlinux.hasDWARF else { throw error }
        forced.append(Diagnostic(.vmlinuxWithoutSymbols, error.file, error.description))
      }
    }
    if let vmcoreinfo { sources.append(VMCoreInfoSymbols(vmcoreinfo)) }
    var resolver = KernelFactsResolver(dump: dump, vmcoreinfo: vmcoreinfo, overrides: overrides, symbols: sources)
    resolver.failure = found.failure
    let (facts, regime, _) = try resolver.resolve()
    func leaf(_ address: UInt64) -> Leaf? { dump.memory.walk(regime, VirtualAddress(address)).leaf }
    let layout = DetectedLayout(facts, vmcoreinfo) { leaf($0)?.physical }
    let debugFiles = debugInfo.files(given: vmlinux, vmcoreinfo)
    self.debugFiles = debugFiles
    // A vmlinux that was given is the first source already.
    if vmlinux == nil, !debugFiles.isEmpty { sources.append(DebugFileSymbols(debugFiles, vmcoreinfo)) }
    let dwarf =
      debugFiles.isEmpty
      ? nil
      : DWARFTypes(report: debugInfo.report, absence: vmlinux.map { "\($0.path) has no DWARF" } ?? "no DWARF") {
        debugFiles.withDWARF
      }
    let sourceLines = dwarf.map { SourceLines(debugFiles, $0, vmcoreinfo) }
    let image = ImageSpan(facts, layout, vmcoreinfo, symbols: Self.imageBounds(sources))
    let memoryTypes = LinuxMAIR.mair(
      facts.version,
      imageIndex: vmcoreinfo?.symbol("_stext").flatMap(leaf)?.attributes.attrIndex)
    contents = KernelContents(
      dump, regime, facts, layout, image, vmcoreinfo, extra: sources.filter { !($0 is VMCoreInfoSymbols) },
      dwarf: dwarf, sourceLines: sourceLines, memoryTypes: memoryTypes)
    vmcoreinfoSource = found.source
    rootCandidates = found.roots
    verification = CrossChecks(facts, regime, layout, vmcoreinfo, dump)
    // Of the text the resolver tells more: which step failed, and what to do.
    let doubts = verification.disagreements.filter { $0.subject != .text }
    let damage = vmcoreinfo?.damage ?? []
    let moved = MisplacedParts(dump, regime, layout.layout?.linearMap).warnings
    // What the file lacks explains most of what follows.
    warnings = dump.warnings + damage + resolver.warnings + doubts.map(\.warning) + moved + found.warnings + forced
  }

  /// `_text` to `_end` by the symbols of a vmlinux, if one is among `sources`.
  private static func imageBounds(_ sources: [any SymbolSource]) -> Range<UInt64>? {
    guard let table = sources.first(where: { $0 is ELFSymbolTable }), let start = table.symbol(named: "_text"),
      let end = table.symbol(named: "_end"), start.address < end.address
    else { return nil }
    return start.address..<end.address
  }

  var context: KernelContext { contents.context }
  /// The dump.
  public var dump: DumpFile { context.dump }
  /// What the kernel says of itself; nil if the dump has no such note.
  package var vmcoreinfo: VMCoreInfo? { context.vmcoreinfo }
  /// What has to be known of it, each with its source.
  public var facts: KernelFacts { context.facts }
  /// The tables of the upper half.
  public var regime: TranslationRegime { context.regime }
  /// Where its regions are.
  package var layout: DetectedLayout { context.layout }
  /// The kernel's names.
  package var symbols: KernelSymbols { context.symbols }
  /// The kernel's types.
  package var types: KernelTypes { context.types.value }
  /// Kernel memory by virtual address.
  public var space: KernelMemory { context.memory }
}
