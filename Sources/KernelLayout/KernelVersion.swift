/// The first two numbers of a kernel version.
public struct KernelVersion: Hashable, Comparable, Sendable {
  /// The first number.
  public let major: Int
  /// The second number.
  public let minor: Int
  /// Makes a version.
  public init(_ major: Int, _ minor: Int) {
    self.major = major
    self.minor = minor
  }
  /// Parses the start of a release such as "6.1.0-56-cloud-arm64".
  package init?(release: String) {
    let parts = release.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1].prefix(while: \.isNumber)) else {
      return nil
    }
    self.init(major, minor)
  }
  /// Older before newer.
  public static func < (a: Self, b: Self) -> Bool { (a.major, a.minor) < (b.major, b.minor) }
}
