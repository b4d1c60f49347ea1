import Bytes
import CrashDump
import DebugInfo
import VMSA

/// The kernel's description, where the dump brings none along: looked for in RAM, and, for raw memory that
/// nobody said the address of, together with that address.
struct KernelFinder {
  /// What was found.
  struct Found {
    var dump: DumpFile
    var vmcoreinfo: VMCoreInfo?
    /// Where the description is from, in words.
    var source: String?
    var warnings: [String] = []
  }

  /// Raw memory begins at a multiple of this, on every machine known.
  private static let alignment: UInt64 = 2 << 20

  let overrides: KernelOverrides
  let progress: (@Sendable (UInt64) -> Void)?

  /// The description of the kernel in `dump`: its note, or what is found in RAM and borne out by the tables.
  func find(in dump: DumpFile) -> Found {
    if let note = dump.notes.vmcoreinfo {
      return Found(dump: dump, vmcoreinfo: VMCoreInfo(note), source: "the VMCOREINFO note")
    }
    // Who says where the tables are need not wait for a search.
    if overrides.pageSize != nil, overrides.vaBits != nil, overrides.swapperPgDir != nil {
      return Found(dump: dump)
    }
    let candidates = VMCoreInfoSearch.candidates(in: dump, progress: progress)
    var confirmed: [(place: Found, text: [UInt8])] = []
    for candidate in candidates where !confirmed.contains(where: { $0.text == candidate.text }) {
      let info = VMCoreInfo(candidate.text)
      guard let place = dump.isAddressUnknown ? placed(dump, info) : confirms(dump, info) ? dump : nil else {
        continue
      }
      let base = dump.isAddressUnknown ? place.memory.ranges.first?.lowerBound.rawValue ?? 0 : 0
      let address = hex(candidate.address.rawValue &+ base)
      confirmed.append(
        (Found(dump: place, vmcoreinfo: info, source: "VMCOREINFO in RAM at \(address)"), candidate.text))
    }
    // The copy that the crash kernel got has the time of the crash besides.
    guard var best = confirmed.first(where: { $0.place.vmcoreinfo?.crashTime != nil }) ?? confirmed.first else {
      return Found(
        dump: dump, warnings: candidates.isEmpty ? [] : ["VMCOREINFO in RAM is not borne out by the tables; ignored"])
    }
    best.place.warnings.append(
      "there is no VMCOREINFO note; used is \(best.place.source ?? ""), which the tables bear out")
    let roots = Set(confirmed.map { $0.place.vmcoreinfo?.symbol("swapper_pg_dir") })
    if roots.count > 1 {
      best.place.warnings.append("\(roots.count) kernels are in this memory, and each has tables that bear it out")
    }
    return best.place
  }

  private func confirms(_ dump: DumpFile, _ info: VMCoreInfo) -> Bool {
    var locator = KernelLocator(dump: dump, vmcoreinfo: info, overrides: overrides, symbols: [])
    return (try? locator.locate())?.isConfirmed ?? false
  }

  /// `dump` where its tables lie where `info` says and map the kernel: descriptors hold physical addresses,
  /// so that only one place fits.
  private func placed(_ dump: DumpFile, _ info: VMCoreInfo) -> DumpFile? {
    guard let offset = info.number("kimage_voffset"), let swapper = info.symbol("swapper_pg_dir"),
      let size = dump.memory.ranges.last?.upperBound.rawValue
    else { return nil }
    let root = swapper &- offset
    guard root < 1 << 52 else { return nil }
    var base = root > size ? (root - size + Self.alignment) & ~(Self.alignment - 1) : 0
    while base <= root {
      if let placed = try? dump.placed(at: PhysicalAddress(base)), confirms(placed, info) { return placed }
      base += Self.alignment
    }
    return nil
  }
}
