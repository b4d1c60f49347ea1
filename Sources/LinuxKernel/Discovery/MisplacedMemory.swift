import Bytes
import CrashDump
import VMSA

/// Detects raw memory given at a wrong address, if the tables do not confirm the VMCOREINFO in it: descriptors hold
/// absolute addresses, so a table that a walk misses can be found among the pages that look like tables, and the
/// difference is the displacement.
struct MisplacedMemory {
  private let dump: DumpFile
  private let search: PhysicalMemoryScan

  init(_ dump: DumpFile, _ search: PhysicalMemoryScan) {
    self.dump = dump
    self.search = search
  }

  /// An explanation for the first of `texts` whose tables, once memory is moved, map the kernel's text where it says;
  /// nil if moving helps none, or the dump is not raw memory with addresses.
  func explanation(_ texts: [(PhysicalAddress, VMCoreInfo)]) -> String? {
    guard dump.isRaw, !dump.isAddressUnknown else { return nil }
    for (address, info) in texts {
      var resolver = KernelFactsResolver(dump: dump, vmcoreinfo: info, overrides: KernelOverrides(), symbols: [])
      guard let (facts, regime, _) = try? resolver.resolve(), let text = info.symbol("_stext"),
        let offset = facts.kimageVoffset?.value
      else { continue }
      let walk = MovedWalk(memory: dump.memory, regime: regime, virtual: text, physical: text &- offset)
      guard let missing = walk.firstMissing else { continue }
      let isRoot = missing == regime.root.rawValue
      for page in isRoot ? search.rootPages : search.tablePages {
        for piece in stride(from: UInt64(0), to: regime.granule.size, by: 4096) {
          let distance = missing &+ piece &- page.rawValue
          guard distance != 0, walk.isConfirmed(movingBy: distance) else { continue }
          return describe(distance, page.rawValue, "VMCOREINFO in RAM at \(hex(address.rawValue))")
        }
      }
    }
    return nil
  }

  private func describe(_ distance: UInt64, _ page: UInt64, _ name: String) -> String {
    let isLow = distance >> 63 == 0
    let size = hex(isLow ? distance : 0 &- distance)
    let ranges = dump.memory.ranges
    let number = ranges.firstIndex { $0.contains(PhysicalAddress(page)) } ?? 0
    let start = ranges.isEmpty ? 0 : ranges[number].lowerBound.rawValue
    let what =
      page == start || number == 0 && ranges.count == 1 && isWhole(distance)
      ? "the kernel's tables want RAM at \(hex(start &+ distance)), not at \(hex(start))"
      : "the kernel's tables are at \(hex(page &+ distance)), which is given as \(hex(page)): that part, "
        + "the \(Self.ordinal(ranges.count == 1 ? 1 : number)), is \(size) too \(isLow ? "low" : "high")"
    return "\(name) is not confirmed by the tables where this memory is said to lie: \(what)"
  }

  private func isWhole(_ distance: UInt64) -> Bool {
    guard let info = search.texts.first.map({ VMCoreInfo($0.text) }), let root = info.rootTable else { return false }
    // The root itself was moved by the same distance.
    return search.rootPages.contains { $0.rawValue &+ distance == root & ~4095 }
      && !search.rootPages.contains { $0.rawValue == root & ~4095 }
  }

  static func ordinal(_ index: Int) -> String {
    let words = ["first", "second", "third", "fourth"]
    return index < words.count ? words[index] : "\(index + 1)th"
  }
}

/// A walk in memory of which parts were moved.
private struct MovedWalk {
  let memory: any PhysicalMemory
  let regime: TranslationRegime
  let virtual: UInt64
  /// The address that `virtual` must be mapped to.
  let physical: UInt64

  /// The address of the first table that is missing, or whose entry is invalid.
  var firstMissing: UInt64? {
    var table = regime.root.rawValue
    for level in regime.startLevel...3 {
      switch step(table, level, 0) {
      case .table(let next): table = next
      case .leaf(let address): return address == physical ? nil : table
      case .nothing: return table
      }
    }
    return nil
  }

  /// Whether the walk ends at the expected address, if each table may be `distance` below its own.
  func isConfirmed(movingBy distance: UInt64) -> Bool { ends(regime.root.rawValue, regime.startLevel, distance) }

  private func ends(_ table: UInt64, _ level: Int, _ distance: UInt64) -> Bool {
    // At most four levels below the root, two choices each.
    [0, distance].contains { moved in
      switch step(table, level, moved) {
      case .table(let next): level < 3 && ends(next, level + 1, distance)
      case .leaf(let address): address == physical
      case .nothing: false
      }
    }
  }

  private enum Step {
    case table(UInt64)
    case leaf(UInt64)
    case nothing
  }

  private func step(_ table: UInt64, _ level: Int, _ moved: UInt64) -> Step {
    let shift = regime.granule.shift(level: level)
    let entries = level == regime.startLevel ? UInt64(regime.rootEntries) : regime.granule.size / 8
    let index = virtual >> UInt64(shift) & (entries - 1)
    guard let word = try? memory.word(at: PhysicalAddress(table &- moved &+ index * 8)) else { return .nothing }
    switch Descriptor(rawValue: word).kind(level: level, format: regime.format) {
    case .table: return .table(regime.format.outputAddress(word, shift: regime.granule.pageShift).rawValue)
    case .block, .page:
      let start = regime.format.outputAddress(word, shift: shift).rawValue
      return .leaf(start | virtual & ((1 << UInt64(shift)) - 1))
    case .invalid, .reserved: return .nothing
    }
  }
}
