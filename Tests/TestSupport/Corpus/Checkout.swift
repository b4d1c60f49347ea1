import Foundation

/// Where things are, seen from the tests.
public enum Checkout {
  /// The top of the source tree.
  public static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  /// The real dumps that come with the source.
  public static let testData = root.appendingPathComponent("TestData")
  /// The folder that the tests were built into, where the command is too.
  public static let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent()
}
