import Bytes
import CrashDump
import KernelLayout
import VMSA

/// A root table found by its structure, with a score of how well its tables confirm it.
package struct RootCandidate: Sendable {
  /// The kernel's half of the address space as this root maps it.
  package let regime: TranslationRegime
  /// The dump; raw memory of unknown address is placed as this root implies.
  package let dump: DumpFile
  /// Virtual minus physical address of the image that it lies in, modulo 2^64 (kimage_voffset).
  package let imageOffset: UInt64
  /// The addresses that are mapped at that offset, from the first to the last.
  package let image: Range<UInt64>
  /// Those of them that EL1 may execute, from the first to the last.
  package let text: Range<UInt64>?
  /// Virtual minus physical address of the linear map, if the root is mapped there too.
  package let linearOffset: UInt64?
  /// Bytes mapped at the linear map's offset.
  package let linearBytes: UInt64
  /// The evidence for and against it, as text.
  package let evidence: [String]
  /// The number of checks that confirm it.
  package let score: Int
  /// The number of checks: the score of an intact kernel.
  package let bestScore: Int

  /// Reads all tables below `page`; nil if they are not a kernel's: there is a mapping for EL0, too many entries are
  /// malformed, or no address translates to the root itself.
  ///
  /// - Parameter budget: how many more tables may be read for all candidates.
  init?(_ page: RootPage, in dump: DumpFile, budget: Budget) {
    let shape = page.shape
    let bits = shape.granule == .sixtyFourKiB && shape.tableBits == 52 && !page.reachesBeyond48 ? 48 : shape.tableBits
    let regime = TranslationRegime.kernel(
      shape.granule, tableBits: shape.tableBits, addressBits: bits, physicalBits: nil, root: page.address)
    var survey = RootSurvey(root: page.address)
    let limit = dump.tableLimit(shape.granule)
    let swept = regime.sweep(in: dump.memory, tableLimit: min(limit, budget.left), observer: &survey)
    budget.spend(swept.tables)
    guard !survey.isAbandoned, !survey.ownAddresses.isEmpty else { return nil }
    // Of the mappings of the root, the one in the linear map has the most memory around it, the one in the image less.
    func bytes(_ offset: UInt64) -> UInt64 { survey.runs[offset] ?? 0 }
    let offsets = Set(survey.ownAddresses.map { $0 &- page.address.rawValue }).sorted { bytes($0) > bytes($1) }
    guard let offset = offsets.count > 1 ? offsets[1] : offsets.first else { return nil }
    let linear = offsets.count > 1 ? offsets[0] : nil
    let virtual = page.address.rawValue &+ offset
    var extent = ImageExtent(offset: offset)
    let reach = ImageReach.largest
    let first = max(virtual > reach ? virtual - reach : 0, regime.firstAddress)
    let last = min(virtual > .max - reach ? .max : virtual + reach, regime.lastAddress)
    _ = regime.sweep(first...last, in: dump.memory, tableLimit: limit, observer: &extent)

    var evidence: [String] = []
    var score = 0
    func judge(_ holds: Bool, _ pro: String, _ contra: String) {
      score += holds ? 1 : 0
      evidence.append(holds ? pro : contra)
    }
    judge(true, "it is mapped in its own image, at \(hex(virtual))", "")
    judge(
      linear != nil, "it is mapped in the linear map, at \(hex(page.address.rawValue &+ (linear ?? 0)))",
      "it is not in its linear map")
    let linearBytes = linear.map(bytes) ?? 0
    let imageBytes = extent.last &- extent.first
    judge(
      linearBytes > imageBytes, "\(linearBytes >> 10) KiB of memory are mapped at one offset",
      "its linear map is smaller than its image")
    judge(extent.text != nil, "the image has text that is executable", "its image has no text")
    judge(survey.corrupt == 0, "every entry is one that can be", "\(survey.corrupt) entries cannot be")
    judge(
      survey.missing == 0 && !swept.isCutShort, "all \(swept.tables) tables are there",
      "\(survey.missing) entries are in tables that are missing")
    // An earlier kernel may have left intact tables, too, but no CPU runs its code.
    let counters = dump.notes.cpus.map(\.pc).filter { $0 >> 55 & 1 == 1 }
    if !counters.isEmpty {
      let running = counters.count {
        dump.memory.walk(regime, VirtualAddress($0)).leaf?.attributes.isExecutableEL1 ?? false
      }
      judge(
        running == counters.count, "the code that the CPUs ran is executable there",
        "of \(counters.count) CPUs in the kernel \(running) ran code that is executable there")
    }
    bestScore = evidence.count
    self.regime = regime
    self.dump = dump
    imageOffset = offset
    image = extent.first..<max(extent.last, extent.first &+ 1)
    text = extent.text
    linearOffset = linear
    self.linearBytes = linearBytes
    self.evidence = evidence
    self.score = score
  }

  /// The better score first, then the larger linear map, then the lower address.
  static func isLikelier(_ a: Self, _ b: Self) -> Bool {
    (b.score, b.linearBytes, a.regime.root.rawValue) < (a.score, a.linearBytes, b.regime.root.rawValue)
  }

  /// Whether no check prefers one of the two.
  func standsEqual(_ other: Self) -> Bool { score == other.score && linearBytes == other.linearBytes }
}

/// The results of a pass over all tables under a root.
private struct RootSurvey: SweepObserver {
  let root: PhysicalAddress
  /// The virtual addresses that translate to the root.
  var ownAddresses: [UInt64] = []
  /// Bytes by the difference of virtual and physical address, for runs of 2 MiB and more.
  var runs: [UInt64: UInt64] = [:]
  var corrupt = 0
  var missing = 0
  var isAbandoned = false
  private var leaves = 0
  private var offset: UInt64 = 0
  private var run: UInt64 = 0

  init(root: PhysicalAddress) { self.root = root }

  mutating func enter(_ table: SweptTable) -> Bool { !isAbandoned }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    // The kernel's half is never accessible to EL0.
    if entry.descriptor.has(.ap1) { isAbandoned = true }
    leaves &+= 1
    if root.rawValue &- physical.rawValue < entry.size, ownAddresses.count < 8 {
      ownAddresses.append(entry.virtual.rawValue &+ (root.rawValue &- physical.rawValue))
    }
    let moved = entry.virtual.rawValue &- physical.rawValue
    if moved != offset {
      offset = moved
      run = 0
    }
    let before = run
    run &+= entry.size
    // Shorter runs belong to vmalloc, and are too many to keep.
    guard run >= 2 << 20 else { return }
    if runs[moved] != nil || runs.count < 4096 { runs[moved, default: 0] &+= before < 2 << 20 ? run : entry.size }
  }

  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    if entry.descriptor.has(.ap1) { isAbandoned = true }
  }

  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) {
    corrupt &+= 1
    // A kernel may be somewhat damaged; a page that is not a table has little but malformed entries.
    if corrupt > 64, corrupt > leaves / 8 { isAbandoned = true }
  }

  mutating func missing(_ table: SweptTable, _ virtual: VirtualAddress, count: Int, _ fault: MemoryFault) {
    missing &+= count
    if missing > 1 << 16, missing > leaves { isAbandoned = true }
  }
}

/// The addresses of a kernel image: those at its offset.
private struct ImageExtent: SweepObserver {
  let offset: UInt64
  var first = UInt64.max
  var last: UInt64 = 0
  var text: Range<UInt64>?

  init(offset: UInt64) { self.offset = offset }

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    let start = entry.virtual.rawValue
    guard start &- physical.rawValue == offset else { return }
    let end = entry.last == .max ? .max : entry.last + 1
    first = min(first, start)
    last = max(last, end)
    let attributes = Attributes(entry.descriptor, tables: entry.tables)
    // With rodata=off it may be writable, too.
    guard attributes.isExecutableEL1 else { return }
    text = min(text?.lowerBound ?? start, start)..<max(text?.upperBound ?? end, end)
  }
}
