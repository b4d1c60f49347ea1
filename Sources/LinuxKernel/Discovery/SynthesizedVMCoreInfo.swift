import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// A VMCOREINFO for kernels without one, derived from the page tables and the memory that they map: the same lines,
/// each with its source, so that everything else reads them like the kernel's own.
struct SynthesizedVMCoreInfo {
  private let candidate: RootCandidate
  /// The kernel's own VMCOREINFO, possibly incomplete.
  private let known: VMCoreInfo?
  private var lines: [(key: String, value: String)] = []
  private var derivations: [String: Provenance] = [:]

  /// The description of the kernel whose root table is `candidate`.
  ///
  /// - Parameter known: the lines of its own VMCOREINFO, from which others follow.
  static func of(_ candidate: RootCandidate, known: VMCoreInfo? = nil) -> VMCoreInfo {
    var description = SynthesizedVMCoreInfo(candidate, known)
    description.addTables()
    description.addContents()
    return VMCoreInfo(
      Array(description.lines.map { "\($0.key)=\($0.value)\n" }.joined().utf8), origin: "the tables",
      derivations: description.derivations)
  }

  private init(_ candidate: RootCandidate, _ known: VMCoreInfo?) {
    self.candidate = candidate
    self.known = known
  }

  private mutating func add(_ key: String, _ value: String, _ how: Provenance) {
    lines.append((key, value))
    derivations[key] = how
  }

  private mutating func addAddress(_ symbol: String, _ address: UInt64, _ how: Provenance) {
    add("SYMBOL(\(symbol))", String(address, radix: 16), how)
  }

  /// What the tables alone show.
  private mutating func addTables() {
    let regime = candidate.regime
    add("PAGESIZE", "\(regime.granule.size)", .tables("the shape of the root table"))
    add("NUMBER(TCR_EL1_T1SZ)", "\(64 - regime.addressBits)", .tables("the shape of the root table and its entries"))
    add("NUMBER(kimage_voffset)", hex(candidate.imageOffset), .tables("the root table, which maps itself"))
    addAddress(
      "swapper_pg_dir", regime.root.rawValue &+ candidate.imageOffset, .tables("the root table, which maps itself"))
  }

  /// What the image contains: the symbols, the release, and what follows from them.
  private mutating func addContents() {
    let regime = candidate.regime
    let image = candidate.image
    let space = KernelMemory(candidate.dump, regime, around: image)
    let search = ReadOnlyDataScan(space, image)
    let kallsyms = Self.kallsyms(search, candidate)
    func symbol(_ name: String) -> UInt64? { kallsyms?.symbol(named: name)?.address ?? known?.symbol(name) }

    // Tables folded for lesser hardware do not show the width that the kernel was built for, but only kernels with that
    // many levels have the functions that allocate them (mm/memory.c).
    var vaBits = (bits: regime.tableBits, how: "the shape of the root table")
    switch (regime.granule, regime.tableBits) {
    case _ where known?.number("VA_BITS") != nil: vaBits.bits = known?.number("VA_BITS").map(Int.init) ?? vaBits.bits
    case (.fourKiB, 48) where isLinearMapOf52Bits, (.sixteenKiB, 47) where isLinearMapOf52Bits:
      vaBits = (52, "PHYS_OFFSET, which is for a linear map of 52 bits")
    case (.fourKiB, 48) where symbol("__p4d_alloc") != nil:
      vaBits = (52, "__p4d_alloc, which only kernels of five levels have")
    case (.sixteenKiB, 47) where symbol("__pud_alloc") != nil:
      vaBits = (52, "__pud_alloc, which only kernels of four levels have")
    case (.fourKiB, 48) where kallsyms == nil, (.sixteenKiB, 47) where kallsyms == nil:
      vaBits.how += "; a kernel of 52 bits on hardware without them looks the same"
    default: break
    }
    add("NUMBER(VA_BITS)", "\(vaBits.bits)", .reason(vaBits.how))
    if let offset = candidate.linearOffset {
      let linear = regime.root.rawValue &+ offset
      let isLower = linear >> UInt64(regime.addressBits - 1) & 1 == 0
      let start = isLower ? AddressLayout.bottom(vaBits.bits) : AddressLayout.middle(vaBits.bits)
      add("NUMBER(PHYS_OFFSET)", hex(start &- offset), .tables("the linear map as the tables have it"))
    }

    if let stext = symbol("_stext") {
      addAddress("_stext", stext, "kallsyms in the dump")
    } else if let text = candidate.text {
      addAddress("_stext", text.lowerBound, "the first executable address of the image")
    }
    for name in ["init_uts_ns", "prb", "log_buf"] {
      if let address = symbol(name) { addAddress(name, address, "kallsyms in the dump") }
    }
    guard let release = known?.release ?? search.banner() else { return }
    add("OSRELEASE", release, "linux_banner in the dump")
    guard let version = KernelVersion(release: release), let era = LayoutEra.of(version) else { return }
    // A kallsyms of functions begins with _stext. Up to 5.10 it may be 2 KiB after _text, because of the vectors'
    // alignment, or 4 KiB.
    let header: UInt64 = version.has(.alignedTextSegment) ? 0x10000 : 0x1000
    guard let text = symbol("_text") ?? symbol("_stext").map({ ($0 &- 1) & ~(header - 1) }) else { return }
    let configuration = LayoutConfiguration(
      granule: regime.granule, vaBits: vaBits.bits, vaBitsActual: regime.addressBits)
    let textOffset: UInt64 = version.has(.noTextOffset) ? 0 : 0x80000
    let base = AddressLayout(era: era, configuration).vmalloc.start &+ textOffset
    add("KERNELOFFSET", String(text &- base, radix: 16), "the image's first symbol and the layout of \(era.name)")
  }

  /// Whether the known PHYS_OFFSET puts PAGE_OFFSET at the bottom of a 52-bit half.
  private var isLinearMapOf52Bits: Bool {
    guard let physical = known?.number("PHYS_OFFSET"), let offset = candidate.linearOffset else { return false }
    return physical &+ offset == AddressLayout.bottom(52)
  }

  /// The first kallsyms in the image whose `_stext` is executable, and whose root table, if it names one, is
  /// the candidate.
  private static func kallsyms(_ search: ReadOnlyDataScan, _ candidate: RootCandidate) -> Kallsyms<KernelMemory>? {
    for tables in search.kallsymsTables() {
      guard let table = Kallsyms(tables, in: search.space), let text = table.symbol(named: "_stext")?.address,
        candidate.text?.contains(text) ?? false
      else { continue }
      let root = table.symbol(named: "swapper_pg_dir")?.address
      if root.map({ $0 &- candidate.imageOffset == candidate.regime.root.rawValue }) ?? true { return table }
    }
    return nil
  }
}
