import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// The kernel in a dump: finds its tables and resolves its addresses.
///
///     let dump = try DumpFile(path: "vmcore")
///     let kernel = try Kernel(in: dump)
///     let answer = kernel.resolve("init_task")
///
/// It may be used from any number of threads.
public final class Kernel: Sendable {
  let contents: KernelContents
  /// The vmlinux and debuginfo files that may be used.
  package let debugFiles: DebugFiles
  /// The source of VMCOREINFO, as text.
  package let vmcoreinfoSource: String?
  /// MAIR_EL1, if it follows from the kernel.
  package var memoryTypes: Sourced<MemoryAttributeIndirection>? { contents.memoryTypes.value?.register }
  /// The memory type of an AttrIndx; nil if MAIR_EL1 does not follow from the kernel. The log is read only for index 1.
  package func memoryType(_ index: Int) -> MemoryType? {
    (index == 1 ? memoryTypes?.value : contents.baseMemoryTypes)?.memoryType(index)
  }
  /// The known bits of MAIR_EL1: AttrIndx 1 depends on whether the CPUs have MTE, which the log says.
  package var knownMemoryTypes: UInt64 { contents.memoryTypes.value?.known ?? 0 }
  /// What the reader should know before trusting the answers.
  public let warnings: [Diagnostic]
  /// The cross-checks made at opening.
  package let verification: CrossChecks
  /// The root tables found by structure, if the dump has no VMCOREINFO, the likeliest first; the first one is used.
  package let rootCandidates: [RootCandidate]

  /// Finds the kernel in `dump`.
  ///
  /// - Parameters:
  ///   - overrides: facts that the dump lacks or has wrong.
  ///   - vmlinux: the kernel's ELF file, for its symbols.
  ///   - systemMap: the path of the kernel's System.map, for names that its kallsyms lacks.
  ///   - debugInfo: where else to look for the kernel's debuginfo.
  ///   - force: use a vmlinux of another kernel.
  ///   - progress: called, on any thread, with the number of bytes that a search of all memory has just scanned; there
  ///     is a search only if the dump has no VMCOREINFO note.
  /// - Throws: `LocatedError` if the tables cannot be found, or the vmlinux does not match the dump.
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
        // Its DWARF may still be useful, and the dump has symbols of its own.
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
    // A given vmlinux is already the first source.
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
    // The resolver says more about the text: which step failed, and what to do.
    let doubts = verification.disagreements.filter { $0.subject != .text }
    let damage = vmcoreinfo?.damage ?? []
    let moved = MisplacedParts(dump, regime, layout.layout?.linearMap).warnings
    // What the file lacks comes first, since it explains most of the rest.
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
  /// VMCOREINFO; nil if the dump has none.
  package var vmcoreinfo: VMCoreInfo? { context.vmcoreinfo }
  /// The facts about it, each with its source.
  public var facts: KernelFacts { context.facts }
  /// The tables of the upper half.
  public var regime: TranslationRegime { context.regime }
  /// Its address space layout.
  package var layout: DetectedLayout { context.layout }
  /// The kernel's symbols.
  package var symbols: KernelSymbols { context.symbols }
  /// The kernel's types.
  package var types: KernelTypes { context.types.value }
  /// Kernel memory by virtual address.
  public var space: KernelMemory { context.memory }
}
