import Bytes
import CrashDump
import DebugInfo
import VMSA

/// The kernel's description, where the dump brings none along: looked for in RAM, and, for raw memory that
/// nobody said the address of, together with that address.
struct VMCoreInfoSearch {
  /// What was found.
  struct Found {
    var dump: DumpFile
    var vmcoreinfo: VMCoreInfo?
    /// Where the description is from, in words.
    var source: String?
    var warnings: [String] = []
    /// The root tables that were found by their structure, where there is no VMCOREINFO; the likeliest first.
    var roots: [RootCandidate] = []
  }

  let overrides: KernelOverrides
  let progress: (@Sendable (UInt64) -> Void)?

  /// The description of the kernel in `dump`: its note, or what is found in RAM and borne out by the tables, or
  /// what the tables themselves tell.
  func find(in dump: DumpFile) -> Found {
    if let note = dump.notes.vmcoreinfo.map({ VMCoreInfo($0) }) {
      var found = Found(dump: dump, vmcoreinfo: note, source: "the VMCOREINFO note")
      // A hypervisor may have written a note of its own, or one of an earlier kernel.
      guard case .refuted = confirmation(dump, note), overrides.isEmpty else { return found }
      guard var better = inMemory(dump, PhysicalMemoryScan(dump, progress: progress), except: note) else {
        return found
      }
      found.warnings.append(
        "the VMCOREINFO note is not borne out by the tables: \(better.source ?? "") is used instead")
      better.warnings = found.warnings
      return better
    }
    // Who says where the tables are need not wait for a search.
    if overrides.pageSize != nil, overrides.vaBits != nil, overrides.swapperPgDir != nil {
      return Found(dump: dump)
    }
    let search = PhysicalMemoryScan(dump, progress: progress)
    if var found = inMemory(dump, search, except: nil) {
      found.warnings.insert(
        "there is no VMCOREINFO note; used is \(found.source ?? ""), which the tables bear out", at: 0)
      return found
    }
    return byStructure(dump, search)
  }

  // MARK: - VMCOREINFO in RAM

  /// The copy in RAM that most facts bear out.
  private func inMemory(_ dump: DumpFile, _ search: PhysicalMemoryScan, except note: VMCoreInfo?) -> Found? {
    var confirmed: [(place: Found, info: VMCoreInfo, agreements: Int)] = []
    for candidate in search.texts
    where candidate.text != note?.text && !confirmed.contains(where: { $0.info.text == candidate.text }) {
      let info = VMCoreInfo(candidate.text)
      guard let place = dump.isAddressUnknown ? placed(dump, info) : dump,
        let agreements = agreements(place, info)
      else { continue }
      let base = dump.isAddressUnknown ? place.memory.ranges.first?.lowerBound.rawValue ?? 0 : 0
      let address = hex(candidate.address.rawValue &+ base)
      confirmed.append(
        (Found(dump: place, vmcoreinfo: info, source: "VMCOREINFO in RAM at \(address)"), info, agreements))
    }
    // The copy that the crash kernel got has the time of the crash besides.
    func rank(_ info: VMCoreInfo, _ agreements: Int) -> (Int, Int) { (agreements, info.crashTime == nil ? 0 : 1) }
    guard let most = confirmed.map({ rank($0.info, $0.agreements) }).max(by: <),
      var best = confirmed.first(where: { rank($0.info, $0.agreements) == most })?.place
    else { return nil }
    let equals = confirmed.filter { $0.agreements == most.0 }
    let roots = Set(equals.map { $0.info.symbol("swapper_pg_dir") })
    if roots.count > 1 {
      let others = equals.compactMap { $0.place.source }.filter { $0 != best.source }
      best.warnings.append(
        "\(roots.count) kernels in this memory stand equal, since the tables bear each out: \(others.joined(separator: ", "))"
      )
    }
    return best
  }

  private func confirmation(_ dump: DumpFile, _ info: VMCoreInfo) -> KernelFactsResolver.Confirmation {
    var resolver = KernelFactsResolver(dump: dump, vmcoreinfo: info, overrides: overrides, symbols: [])
    return (try? resolver.resolve())?.confirmation ?? .refuted
  }

  private func confirms(_ dump: DumpFile, _ info: VMCoreInfo) -> Bool { agreements(dump, info) != nil }

  /// How many facts bear `info` out; nil where the tables do not map the kernel's text where it says.
  private func agreements(_ dump: DumpFile, _ info: VMCoreInfo) -> Int? {
    var resolver = KernelFactsResolver(dump: dump, vmcoreinfo: info, overrides: overrides, symbols: [])
    guard let (facts, regime, confirmation) = try? resolver.resolve(), case .confirmed = confirmation else {
      return nil
    }
    let layout = DetectedLayout(facts, info) { dump.memory.walk(regime, VirtualAddress($0)).leaf?.physical }
    return CrossChecks(facts, regime, layout, info, dump).agreements
  }

  // MARK: - No VMCOREINFO at all

  private func byStructure(_ dump: DumpFile, _ search: PhysicalMemoryScan) -> Found {
    var (candidates, isCutShort) = RootTableScan(
      dump: dump, granule: overrides.pageSize.flatMap { Granule(size: $0) }, pages: search.rootPages
    ).candidates()
    if let wanted = overrides.swapperPgDir {
      candidates = candidates.filter {
        $0.regime.root.rawValue == wanted || $0.regime.root.rawValue &+ $0.imageOffset == wanted
      }
    }
    let doubt = "the search for root tables was given up: this memory is full of tables that lead to each other"
    guard let best = candidates.first else { return Found(dump: dump, warnings: isCutShort ? [doubt] : []) }
    var found = Found(dump: best.dump, vmcoreinfo: SynthesizedVMCoreInfo.of(best), roots: candidates)
    found.source = "none: what is known is from the root table at \(hex(best.regime.root.rawValue)), found by structure"
    found.warnings.append(
      "there is no VMCOREINFO, in a note or in RAM; the root table at \(hex(best.regime.root.rawValue)) was found by "
        + "structure, score \(best.score) of \(best.bestScore)")
    if isCutShort { found.warnings.append(doubt) }
    let equal = candidates.dropFirst().filter { $0.standsEqual(best) }
    if !equal.isEmpty {
      found.warnings.append(
        "\(equal.count + 1) root tables stand equal; the others are at "
          + equal.map { hex($0.regime.root.rawValue) }.joined(separator: ", ")
          + " (choose with \(overrides.name(.swapperPgDir)))")
    }
    return found
  }

  /// `dump` where its tables lie where `info` says and map the kernel: descriptors hold physical addresses,
  /// so that only one place fits.
  private func placed(_ dump: DumpFile, _ info: VMCoreInfo) -> DumpFile? {
    guard let offset = info.number("kimage_voffset"), let swapper = info.symbol("swapper_pg_dir"),
      let size = dump.memory.ranges.last?.upperBound.rawValue
    else { return nil }
    let root = swapper &- offset
    guard root < 1 << 52 else { return nil }
    var base = root > size ? (root - size + RawMemory.alignment) & ~(RawMemory.alignment - 1) : 0
    while base <= root {
      if let placed = try? dump.placed(at: PhysicalAddress(base)), confirms(placed, info) { return placed }
      base += RawMemory.alignment
    }
    return nil
  }
}
