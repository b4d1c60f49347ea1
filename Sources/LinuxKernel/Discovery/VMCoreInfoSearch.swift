import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// Finds VMCOREINFO if the dump has no note of it: searches RAM, and for raw memory of unknown address also finds the
/// address.
struct VMCoreInfoSearch {
  /// What was found.
  struct Found {
    var dump: DumpFile
    var vmcoreinfo: VMCoreInfo?
    /// The source of the VMCOREINFO, as text.
    var source: String?
    var warnings: [Diagnostic] = []
    /// The root tables found by structure, if there is no VMCOREINFO; the likeliest first.
    var roots: [RootCandidate] = []
    /// Why there is no VMCOREINFO, if known.
    var failure: String?
  }

  let overrides: KernelOverrides
  let progress: (@Sendable (UInt64) -> Void)?

  /// The VMCOREINFO of `dump`: its note, or a copy in RAM confirmed by the tables, or one synthesized from the tables
  /// themselves. Missing lines are searched for in the same way.
  func find(in dump: DumpFile) -> Found {
    if let note = dump.notes.vmcoreinfo.map({ VMCoreInfo($0) }) { return find(in: dump, note) }
    // With the tables given, no search is needed.
    if overrides.pageSize != nil, overrides.vaBits != nil, overrides.swapperPgDir != nil {
      return Found(dump: dump)
    }
    let search = PhysicalMemoryScan(dump, progress: progress)
    if var found = inMemory(dump, search, except: nil) {
      found.warnings.insert(
        Diagnostic(
          .vmcoreinfoMissing, "there is no VMCOREINFO note; used is \(found.source ?? ""), which the tables bear out"),
        at: 0)
      return found
    }
    let texts = search.texts.map { ($0.address, VMCoreInfo($0.text)) }
    if overrides.isEmpty, let failure = MisplacedMemory(dump, search).explanation(texts) {
      return Found(dump: dump, failure: failure)
    }
    var found = byStructure(dump, search)
    guard let root = found.roots.first else {
      found.failure = texts.first.flatMap { refutation(dump, $1, "VMCOREINFO in RAM at \(hex($0.rawValue))") }
      return found
    }
    // An incomplete text still has the lines about types.
    let base = dump.isAddressUnknown ? found.dump.memory.ranges.first?.lowerBound.rawValue ?? 0 : 0
    let mine = texts.filter { fits(root, $1) && $1.symbol("swapper_pg_dir") != nil }
    if let text = mine.first(where: { $1.crashTime != nil }) ?? mine.first {
      found.vmcoreinfo = text.1.completed(by: SynthesizedVMCoreInfo.of(root, known: text.1.withoutCutLine))
      found.source =
        "VMCOREINFO in RAM at \(hex(text.0.rawValue &+ base)), which lacks \(Self.list(text.1.missing)); "
        + "that is from the root table at \(hex(root.regime.root.rawValue)), found by structure"
    }
    return found
  }

  // MARK: - The note

  private func find(in dump: DumpFile, _ note: VMCoreInfo) -> Found {
    var note = note
    var found = Found(dump: dump, vmcoreinfo: note, source: "the VMCOREINFO note")
    var standing = standing(dump, note)
    if standing != .confirmed, !note.isEnded {
      note = note.withoutCutLine
      standing = self.standing(dump, note)
    }
    switch standing {
    case .confirmed:
      guard !note.missing.isEmpty, let root = root(of: note, in: dump) else { return found }
      return completed(found, note, by: root)
    case .unknown: return found
    case .incomplete:
      // If the note locates the root table, the table shows what the note lacks.
      if let root = root(of: note, in: dump) { return completed(found, note, by: root, isNeeded: true) }
    case .refuted:
      // A hypervisor may have written its own note, or that of an earlier kernel.
      guard overrides.isEmpty else { return found }
    }
    let search = PhysicalMemoryScan(dump, progress: progress)
    let (code, why): (Diagnostic.Code, String) =
      standing == .incomplete
      ? (.vmcoreinfoIncomplete, "the VMCOREINFO note lacks \(Self.list(note.missing)):")
      : (.vmcoreinfoRefuted, "the VMCOREINFO note is not borne out by the tables:")
    if var better = inMemory(dump, search, except: note) {
      better.warnings.insert(Diagnostic(code, "\(why) \(better.source ?? "") is used instead"), at: 0)
      return better
    }
    let (roots, isCutShort) = rootTables(dump, search)
    let fitting = roots.filter { fits($0, note) }
    if let best = fitting.first {
      found = completed(found, note, by: best, isNeeded: true)
      found.roots = fitting
    } else if let best = roots.first, best.score == best.bestScore, overrides.isEmpty {
      // An intact kernel other than the one that the note describes.
      let isSame = note.symbol("swapper_pg_dir") == best.regime.root.rawValue &+ best.imageOffset
      if isSame {
        found = completed(found, note, by: best, replacing: ["NUMBER(kimage_voffset)"], isNeeded: true)
      } else if standing == .incomplete || best.regime.root.rawValue != note.rootTable {
        found = structured(roots)
        found.warnings[0] = Diagnostic(
          code, "\(why) the root table at \(hex(best.regime.root.rawValue)), found by structure, is used instead")
      }
    }
    if isCutShort { found.warnings.append(Self.doubt) }
    return found
  }

  /// How well the tables confirm a VMCOREINFO.
  private enum Standing {
    case confirmed, unknown, refuted
    /// It lacks what is needed to find the tables.
    case incomplete
  }

  private func standing(_ dump: DumpFile, _ info: VMCoreInfo) -> Standing {
    var resolver = KernelFactsResolver(dump: dump, vmcoreinfo: info, overrides: overrides, symbols: [])
    switch (try? resolver.resolve())?.confirmation {
    case .confirmed?: return .confirmed
    case .unknown?: return .unknown
    case .refuted?: return .refuted
    case nil: return .incomplete
    }
  }

  /// The root table at the address in `info`, if its structure is that of one.
  private func root(of info: VMCoreInfo, in dump: DumpFile) -> RootCandidate? {
    let given = overrides.swapperPgDir.flatMap { $0 >> 55 & 1 == 0 ? $0 : nil }
    guard let root = given ?? info.rootTable else { return nil }
    let page = PhysicalAddress(root & ~4095)
    return rootTables(dump, pages: [page], RawPlacement([])).roots.first { fits($0, info) }
  }

  /// `found`, with what `note` lacks filled in from the tables under `root`.
  private func completed(
    _ found: Found, _ note: VMCoreInfo, by root: RootCandidate, replacing: Set<String> = [], isNeeded: Bool = false
  ) -> Found {
    var found = found
    let lacking = note.missing + replacing.sorted()
    found.vmcoreinfo = note.completed(
      by: SynthesizedVMCoreInfo.of(root, known: note.withoutCutLine), replacing: replacing)
    guard isNeeded else { return found }
    let how = "the root table at \(hex(root.regime.root.rawValue)), found by structure"
    found.source = "the VMCOREINFO note, but for \(Self.list(lacking)): that is from \(how)"
    found.roots = [root]
    found.warnings.append(
      replacing.isEmpty
        ? Diagnostic(
          .vmcoreinfoIncomplete, Self.list(lacking),
          "the VMCOREINFO note lacks \(Self.list(lacking)): taken from \(how)")
        : Diagnostic(
          .vmcoreinfoRefuted, Self.list(lacking),
          "the tables refute \(Self.list(lacking)) of the VMCOREINFO note: taken from \(how)"))
    return found
  }

  private static func list(_ keys: [String]) -> String {
    keys.count < 4 ? keys.joined(separator: ", ") : keys[..<3].joined(separator: ", ") + " and \(keys.count - 3) more"
  }

  /// Whether neither `info` nor an override contradicts `root`.
  private func fits(_ root: RootCandidate, _ info: VMCoreInfo?) -> Bool {
    let physical = root.regime.root.rawValue
    if let wanted = overrides.swapperPgDir ?? info?.symbol("swapper_pg_dir"), wanted != physical,
      wanted != physical &+ root.imageOffset
    {
      return false
    }
    if let offset = overrides.kimageVoffset ?? info?.number("kimage_voffset"), offset != root.imageOffset {
      return false
    }
    if let size = overrides.pageSize ?? info?.pageSize, size != root.regime.granule.size { return false }
    guard let bits = overrides.vaBits.map(UInt64.init) ?? info?.number("VA_BITS"), let bits = Int(exactly: bits) else {
      return true
    }
    let paging = PagingParameters(granule: root.regime.granule, vaBits: bits)
    return root.regime.granule == .sixtyFourKiB || [bits, paging.vaBitsMin].contains(root.regime.tableBits)
  }

  /// Why the VMCOREINFO called `name` is unusable: which step failed.
  private func refutation(_ dump: DumpFile, _ info: VMCoreInfo, _ name: String) -> String? {
    var resolver = KernelFactsResolver(dump: dump, vmcoreinfo: info, overrides: overrides, symbols: [])
    do throws(LocatedError) {
      _ = try resolver.resolve()
      return resolver.warnings.first.map { "\(name) is not confirmed: \($0.text)" }
    } catch {
      return "\(name) lacks \(Self.list(info.missing)), and no root table was found in the dump"
    }
  }

  // MARK: - VMCOREINFO in RAM

  /// The copy in RAM that the most facts confirm.
  private func inMemory(_ dump: DumpFile, _ search: PhysicalMemoryScan, except note: VMCoreInfo?) -> Found? {
    var confirmed: [(place: Found, info: VMCoreInfo, agreements: Int)] = []
    for candidate in search.texts
    where candidate.text != note?.text && !confirmed.contains(where: { $0.info.text == candidate.text }) {
      let info = VMCoreInfo(candidate.text)
      guard let place = dump.isAddressUnknown ? placed(dump, info, search.rootPages) : dump,
        let agreements = agreements(place, info)
      else { continue }
      let base = dump.isAddressUnknown ? place.memory.ranges.first?.lowerBound.rawValue ?? 0 : 0
      let address = hex(candidate.address.rawValue &+ base)
      confirmed.append(
        (Found(dump: place, vmcoreinfo: info, source: "VMCOREINFO in RAM at \(address)"), info, agreements))
    }
    // The copy passed to the crash kernel also has the time of the crash.
    func rank(_ info: VMCoreInfo, _ agreements: Int) -> (Int, Int) { (agreements, info.crashTime == nil ? 0 : 1) }
    guard let most = confirmed.map({ rank($0.info, $0.agreements) }).max(by: <),
      var best = confirmed.first(where: { rank($0.info, $0.agreements) == most })?.place
    else { return nil }
    let equals = confirmed.filter { $0.agreements == most.0 }
    let roots = Set(equals.map { $0.info.symbol("swapper_pg_dir") })
    if roots.count > 1 {
      let others = equals.compactMap { $0.place.source }.filter { $0 != best.source }
      best.warnings.append(
        Diagnostic(
          .kernelAmbiguous,
          "\(roots.count) kernels in this memory stand equal, since the tables bear each out: "
            + others.joined(separator: ", "))
      )
    }
    return best
  }

  private func confirms(_ dump: DumpFile, _ info: VMCoreInfo) -> Bool { agreements(dump, info) != nil }

  /// The number of facts that confirm `info`; nil if the tables do not map the kernel's text where it says.
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
    let (roots, isCutShort) = rootTables(dump, search)
    let candidates = roots.filter { candidate in
      overrides.swapperPgDir.map {
        candidate.regime.root.rawValue == $0 || candidate.regime.root.rawValue &+ candidate.imageOffset == $0
      } ?? true
    }
    var found = candidates.isEmpty ? Found(dump: dump) : structured(candidates)
    if isCutShort { found.warnings.append(Self.doubt) }
    return found
  }

  private static let doubt = Diagnostic(
    .searchCutShort, "the search for root tables was given up: this memory is full of tables that lead to each other")

  private func rootTables(
    _ dump: DumpFile, _ search: PhysicalMemoryScan
  ) -> (roots: [RootCandidate], isCutShort: Bool) {
    rootTables(
      dump, pages: search.rootPages, dump.isAddressUnknown ? RawPlacement(search.tablePages) : RawPlacement([]))
  }

  private func rootTables(
    _ dump: DumpFile, pages: [PhysicalAddress], _ placement: RawPlacement
  ) -> (roots: [RootCandidate], isCutShort: Bool) {
    RootTableScan(
      dump: dump, granule: overrides.pageSize.flatMap { Granule(size: $0) }, pages: pages, placement: placement
    ).candidates()
  }

  /// The result from the first of `candidates`; the others are alternatives.
  private func structured(_ candidates: [RootCandidate]) -> Found {
    let best = candidates[0]
    var found = Found(dump: best.dump, vmcoreinfo: SynthesizedVMCoreInfo.of(best), roots: candidates)
    found.source = "none: what is known is from the root table at \(hex(best.regime.root.rawValue)), found by structure"
    found.warnings.append(
      Diagnostic(
        .vmcoreinfoMissing,
        "there is no VMCOREINFO, in a note or in RAM; the root table at \(hex(best.regime.root.rawValue)) was found by "
          + "structure, score \(best.score) of \(best.bestScore)"))
    let equal = candidates.dropFirst().filter { $0.standsEqual(best) }
    if !equal.isEmpty {
      found.warnings.append(
        Diagnostic(
          .rootAmbiguous,
          "\(equal.count + 1) root tables stand equal; the others are at "
            + equal.map { hex($0.regime.root.rawValue) }.joined(separator: ", ")
            + " (choose with \(overrides.name(.swapperPgDir)))"))
    }
    return found
  }

  /// `dump` placed so that its tables are where `info` says and map the kernel. The root must be one of the pages that
  /// look like one, so few addresses need trying.
  private func placed(_ dump: DumpFile, _ info: VMCoreInfo, _ pages: [PhysicalAddress]) -> DumpFile? {
    guard let root = info.rootTable else { return nil }
    for page in pages {
      // The first 4 KiB of a larger table may be empty.
      for piece in stride(from: UInt64(0), to: info.pageSize ?? 4096, by: 4096) where root + piece >= page.rawValue {
        let base = root + piece - page.rawValue
        if let placed = try? dump.placed(at: PhysicalAddress(base)), confirms(placed, info) { return placed }
      }
    }
    return nil
  }
}

extension VMCoreInfo {
  /// The physical address of `swapper_pg_dir`; nil if unknown, or beyond 52 bits.
  var rootTable: UInt64? {
    guard let offset = number("kimage_voffset"), let swapper = symbol("swapper_pg_dir"), swapper &- offset < 1 << 52
    else { return nil }
    return swapper &- offset
  }
}
