import Bytes

/// Ranges of page frames and their owners.
struct FrameClaims: Sendable {
  /// A range of frames and its owner.
  struct Claim: Sendable {
    var first: UInt64
    var count: UInt64
    var use: PageUse
    /// The index of its owner in `owners`; -1 if it has no name.
    var owner: Int
  }

  /// Sorted and disjoint.
  private let claims: [Claim]
  /// The owners, for messages.
  private let owners: [String]

  /// - Parameter claims: in any order; if two overlap, the one that begins first keeps the common part, and of two that
  ///   begin together the first given.
  init(_ claims: [Claim], owners: [String]) {
    var result: [Claim] = []
    let sorted = claims.enumerated().sorted { ($0.element.first, $0.offset) < ($1.element.first, $1.offset) }
    for (_, claim) in sorted {
      var claim = claim
      if let last = result.last, claim.first < last.first &+ last.count {
        let taken = last.first &+ last.count &- claim.first
        guard claim.count > taken else { continue }
        claim.first &+= taken
        claim.count &-= taken
      }
      if let last = result.last, last.first &+ last.count == claim.first, last.use == claim.use,
        last.owner == claim.owner
      {
        result[result.count - 1].count &+= claim.count
      } else {
        result.append(claim)
      }
    }
    self.claims = result
    self.owners = owners
  }

  /// What `frame` is used for; nil if nothing claims it.
  @inline(__always)
  func use(of frame: UInt64) -> PageUse? { claim(frame)?.use }

  /// The owner of `frame`, for messages.
  func owner(of frame: UInt64) -> String? {
    claim(frame).flatMap { owners.indices.contains($0.owner) ? owners[$0.owner] : nil }
  }

  @inline(__always)
  private func claim(_ frame: UInt64) -> Claim? {
    let index = claims.partitioningIndex { $0.first > frame } - 1
    guard index >= 0, frame &- claims[index].first < claims[index].count else { return nil }
    return claims[index]
  }
}
