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
  /// The CPU that it ran on; nil if not recorded.
  package let cpu: Int?
  /// When, in jiffies; nil if nanoseconds are recorded.
  package let jiffies: UInt64?
  /// When, in nanoseconds since boot; nil if jiffies are recorded.
  package let nanoseconds: UInt64?
  /// The caller: a return address.
  package let caller: UInt64
  /// The return addresses, innermost first.
  package let frames: [UInt64]
}
