import Bytes
import CrashDump
import Synchronization
import VMSA

/// A place in memory that matches.
public struct MemoryMatch: Hashable, Sendable {
  /// Its virtual address: where it was found, or its address in the kernel image or the linear map; nil if neither maps
  /// it.
  public let virtual: VirtualAddress?
  /// Its physical address.
  public let physical: PhysicalAddress
  /// The matching bytes.
  public let bytes: [UInt8]
}

/// The result of a search.
public struct SearchResult: Sendable {
  /// The matches with the lowest addresses, in order.
  public let matches: [MemoryMatch]
  /// The number of all matches.
  public let total: Int
  /// Bytes searched.
  public let searched: UInt64
  /// Bytes of mapped memory that are not in the dump; 0 if all memory was searched.
  public let missing: UInt64
  /// Whether it ended early, or there are more mappings than are searched.
  public let isCutShort: Bool
}

/// Searches memory on all cores.
struct MemorySearch {
  let context: KernelContext
  let pattern: SearchPattern
  /// The most matches kept.
  let limit: Int
  /// Called with the number of bytes just searched; false ends the search.
  let progress: @Sendable (UInt64) -> Bool

  private var matcher: SearchMatcher { SearchMatcher(pattern: pattern, addressBits: context.regime.addressBits) }

  /// Searches all physical memory of the dump.
  func physical() -> SearchResult {
    let found = MatchList(limit: limit)
    let matcher = matcher
    let (memory, overlap, progress) = (context.dump.memory, overlap, progress)
    let cut = Atomic<Bool>(false)
    memory.scan { address, bytes in
      let next = overlap > 0 ? try? memory.bytes(at: address &+ UInt64(bytes.byteCount), count: overlap) : nil
      found.add(matcher, bytes, next, at: address.rawValue, physical: address.rawValue)
      guard progress(UInt64(bytes.byteCount)) else {
        cut.store(true, ordering: .relaxed)
        return false
      }
      return true
    }
    let image = context.facts.kimageVoffset?.value
    let linear = context.arithmetic.linearOffset?.value
    return found.result(missing: 0, isCutShort: cut.load(ordering: .relaxed)) { place in
      let aliases = [image, linear].lazy.compactMap { $0.flatMap { context.alias(of: place.physical, movedBy: $0) } }
      return match(aliases.first, place.physical)
    }
  }

  /// Searches the memory mapped at `spans` of addresses.
  ///
  /// - Parameter user: tables of user space or of the hypervisor instead of the kernel's.
  func mapped(_ spans: [ClosedRange<UInt64>], user: TranslationRegime?) -> SearchResult {
    var extents = MappedExtents()
    for span in spans { context.sweep(span, of: user, &extents) }
    let all = extents.all
    let found = MatchList(limit: limit)
    let missing = Atomic<UInt64>(0)
    let matcher = matcher
    let (memory, overlap, progress) = (context.dump.memory, overlap, progress)
    let tables = user ?? context.regime
    let page = tables.granule.size
    // The last address has no exclusive end; nothing is mapped there.
    let ranges = all.map { $0.virtual..<min($0.virtual &+ $0.size &- 1, .max - 1) + 1 }
    let isWhole = ParallelScan.run(ranges) { index, piece in
      let extent = all[index]
      var start = piece.lowerBound
      while start < piece.upperBound {
        let physical = PhysicalAddress(extent.physical &+ (start &- extent.virtual))
        var end = start
        // Adjacent pages are read at once.
        while end < piece.upperBound, memory.absence(at: physical &+ (end - start)) == nil {
          end = min(end + (page - end % page), piece.upperBound)
        }
        if end > start, let bytes = try? memory.bytes(at: physical, count: Int(end - start)) {
          let next = overlap > 0 ? Self.bytes(at: end, count: overlap, memory, tables) : nil
          found.add(matcher, bytes.rawSpan, next, at: start, physical: physical.rawValue)
        } else {
          end = min(start + (page - start % page), piece.upperBound)
          missing.wrappingAdd(end - start, ordering: .relaxed)
        }
        start = end
      }
      return progress(piece.upperBound - piece.lowerBound)
    }
    let left = missing.load(ordering: .relaxed)
    return found.result(missing: left, isCutShort: !isWhole || extents.isCutShort) { match($0.address, $0.physical) }
  }

  /// How far past a piece a match that begins in it can reach, in bytes.
  private var overlap: Int { if case .bytes(let bytes) = pattern { bytes.count - 1 } else { 0 } }

  private func match(_ virtual: UInt64?, _ physical: UInt64) -> MemoryMatch {
    let bytes: [UInt8] =
      switch pattern {
      case .bytes(let bytes): bytes
      case .integer(let value, let size): (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
      case .pointer: (try? context.dump.memory.bytes(at: PhysicalAddress(physical), count: 8)) ?? []
      }
    return MemoryMatch(
      virtual: virtual.map { VirtualAddress($0) }, physical: PhysicalAddress(physical), bytes: bytes)
  }

  /// `count` bytes, less than a page, at the start of the page at `address`.
  private static func bytes(
    at address: UInt64, count: Int, _ memory: any PhysicalMemory, _ tables: TranslationRegime
  ) -> [UInt8]? {
    guard let leaf = memory.walk(tables, VirtualAddress(address).untagged).leaf else { return nil }
    return try? memory.bytes(at: leaf.physical, count: count)
  }
}
