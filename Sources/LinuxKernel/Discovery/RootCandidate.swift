import Bytes
import CrashDump
import KernelLayout
import VMSA

/// A root table that was found by its structure, and how far its tables bear it out.
package struct RootCandidate: Sendable {
  /// The kernel's half of the address space as it gives it.
  package let regime: TranslationRegime
  /// The dump: for raw memory that nobody said the address of, as this root has it.
  package let dump: DumpFile
  /// Virtual minus physical address of the image that it lies in, modulo 2^64 (kimage_voffset).
  package let imageOffset: UInt64
  /// The addresses that are mapped at that offset, from the first to the last.
  package let image: Range<UInt64>
  /// Those of them that EL1 may execute, from the first to the last.
  package let text: Range<UInt64>?
  /// Virtual minus physical address of the linear map, where the root is mapped there too.
  package let linearOffset: UInt64?
  /// Bytes of memory that are mapped at the linear map's offset.
  package let linearBytes: UInt64
  /// What speaks for it and against it, in words.
  package let evidence: [String]
  /// How many of the things looked at bear it out.
  package let score: Int
  /// How many were looked at: the score of a kernel that is whole.
  package let bestScore: Int

  /// Reads all tables below `page`; nil if they are not a kernel's: a mapping for EL0 is among them, too many entries
  /// cannot be, or no address translates to the root itself.
  ///
  /// - Parameter budget: how many tables may be read yet, this one's and the others'.
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
    // Of the places where the root is mapped the linear map has the most memory beside it, the image less.
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
    // A kernel that ran before this one left tables that are whole, too; but no CPU runs its code.
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

  /// Whether nothing that was looked at prefers one of the two.
  func standsEqual(_ other: Self) -> Bool { score == other.score && linearBytes == other.linearBytes }
}

/// What a pass over all tables below a root tells of it.
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
    // The kernel's half never lets EL0 in.
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
    // Shorter runs are vmalloc's, and there are too many of them to keep.
    guard run >= 2 << 20 else { return }
    if runs[moved] != nil || runs.count < 4096 { runs[moved, default: 0] &+= before < 2 << 20 ? run : entry.size }
  }

  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {
    if entry.descriptor.has(.ap1) { isAbandoned = true }
  }

  mutating func corrupt(_ entry: SweptEntry, _ what: WalkResult.Corruption) {
    corrupt &+= 1
    // Some damage is no reason to give a kernel up; a page that is no table has little else.
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
    // With rodata=off it may be written, too.
    guard attributes.isExecutableEL1 else { return }
    text = min(text?.lowerBound ?? start, start)..<max(text?.upperBound ?? end, end)
  }
}
