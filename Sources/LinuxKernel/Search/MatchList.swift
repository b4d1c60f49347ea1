import Bytes
import Synchronization

/// The matches with the lowest addresses, collected from all cores.
final class MatchList: Sendable {
  /// A match.
  struct Place {
    let address: UInt64
    let physical: UInt64
  }

  private struct State {
    var places: [Place] = []
    var total = 0
    var searched: UInt64 = 0
  }

  private let limit: Int
  private let state = Mutex(State())

  /// Keeps `limit` matches.
  init(limit: Int) { self.limit = limit }

  /// Searches `bytes`, at `address` and `physical`, and `next`, the bytes that follow them.
  func add(_ matcher: SearchMatcher, _ bytes: RawSpan, _ next: [UInt8]?, at address: UInt64, physical: UInt64) {
    var places: [Place] = []
    var count = 0
    func note(_ offset: Int) {
      count += 1
      guard places.count < limit else { return }
      places.append(Place(address: address &+ UInt64(offset), physical: physical &+ UInt64(offset)))
    }
    matcher.forEach(in: bytes, note)
    if let next, !next.isEmpty {
      // Matches that straddle the boundary.
      let from = max(0, bytes.byteCount - next.count)
      let end = (from..<bytes.byteCount).compactMap { offset -> UInt8? in bytes.integer(at: offset) }
      matcher.forEach(in: (end + next).rawSpan) { if $0 < end.count { note(from + $0) } }
    }
    let (kept, total, searched) = (places, count, UInt64(bytes.byteCount))
    state.withLock { state in
      state.total += total
      state.searched &+= searched
      state.places += kept
      if state.places.count > 4 * limit { state.places = lowest(state.places) }
    }
  }

  private func lowest(_ places: [Place]) -> [Place] {
    Array(places.sorted { $0.address < $1.address }.prefix(limit))
  }

  /// The result, with `match` applied to each place kept.
  func result(missing: UInt64, isCutShort: Bool, _ match: (Place) -> MemoryMatch) -> SearchResult {
    let state = state.withLock { $0 }
    return SearchResult(
      matches: lowest(state.places).map(match), total: state.total, searched: state.searched, missing: missing,
      isCutShort: isCutShort)
  }
}
