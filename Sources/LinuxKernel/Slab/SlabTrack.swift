/// Who allocated or freed an object, and when.
package struct SlabTrack: Sendable {
  /// What was done.
  package enum Kind: String, Sendable {
    case alloc
    case free
  }

  /// What was done.
  package let kind: Kind
  /// The task that did it.
  package let pid: Int
  /// The CPU that it ran on; nil if that is not kept.
  package let cpu: Int?
  /// When, in jiffies; nil where nanoseconds are kept.
  package let jiffies: UInt64?
  /// When, in nanoseconds since boot; nil where jiffies are kept.
  package let nanoseconds: UInt64?
  /// Where it was done: a return address.
  package let caller: UInt64
  /// The return addresses, those of the innermost call first.
  package let frames: [UInt64]
}
