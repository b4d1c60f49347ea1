/// A line of source code.
public struct SourceLine: Hashable, Sendable, CustomStringConvertible {
  /// The file, from the top of the source tree where the debug file tells it so.
  public let file: String
  /// The line, from 1; 0 if the compiler made code that belongs to none.
  public let line: Int

  /// Names a line.
  package init(file: String, line: Int) {
    self.file = file
    self.line = line
  }

  /// `FILE:LINE`.
  public var description: String { "\(file):\(line)" }
}
