/// A line of source code.
public struct SourceLine: Hashable, Sendable, CustomStringConvertible {
  /// The file, relative to the top of the source tree if the debug file allows that.
  public let file: String
  /// The line, from 1; 0 for compiler-generated code.
  public let line: Int

  /// Names a line.
  package init(file: String, line: Int) {
    self.file = file
    self.line = line
  }

  /// `FILE:LINE`.
  public var description: String { "\(file):\(line)" }
}
