import Dispatch
import Synchronization

/// Work on pieces in parallel on all cores, with the results consumed one at a time in the order of the pieces.
package enum OrderedWork {
  /// Results per core that may wait for an earlier one.
  private static let lead = 4

  private struct Results<Result: Sendable>: Sendable {
    var waiting: [Int: Result] = [:]
    /// The piece whose result is taken next.
    var next = 0
    /// Whether a thread is taking results.
    var isTaking = false
  }

  /// Calls `work` for the pieces below `count`, on all cores at once, and `take` with each result, on one at a time.
  /// Few results wait: a core that gets too far ahead blocks.
  ///
  /// - Returns: false once a call of `take` did; then no more are made.
  @discardableResult
  package static func run<Result: Sendable>(
    _ count: Int, _ work: @Sendable (Int) -> Result, take: @Sendable (Result) -> Bool
  ) -> Bool {
    let cores = ProcessorCount.online
    let started = Atomic<Int>(0)
    let ended = Atomic<Bool>(false)
    let results = Mutex(Results<Result>())
    // A semaphore must not be freed with a lower value than it was made with.
    let places = DispatchSemaphore(value: 0)
    for _ in 0..<(cores * lead) { places.signal() }
    DispatchQueue.concurrentPerform(iterations: min(cores, max(count, 1))) { _ in
      while true {
        places.wait()
        let piece = started.wrappingAdd(1, ordering: .relaxed).oldValue
        guard piece < count, !ended.load(ordering: .relaxed) else {
          places.signal()
          return
        }
        let result = work(piece)
        var isTaking = results.withLock { results in
          results.waiting[piece] = result
          defer { results.isTaking = true }
          return !results.isTaking
        }
        while isTaking {
          let next = results.withLock { results -> Result? in
            let next = results.waiting.removeValue(forKey: results.next)
            if next == nil { results.isTaking = false } else { results.next += 1 }
            return next
          }
          guard let next else {
            isTaking = false
            continue
          }
          if !ended.load(ordering: .relaxed), !take(next) { ended.store(true, ordering: .relaxed) }
          places.signal()
        }
      }
    }
    return !ended.load(ordering: .relaxed)
  }
}
