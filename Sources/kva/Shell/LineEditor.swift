import Glibc
import KernelVA

/// A prompt with line editing, completion and history.
struct LineEditor {
  /// What the user entered.
  enum Entry {
    case line(String)
    /// Ctrl-C: the line is discarded.
    case interrupted
    /// Ctrl-D at the beginning of a line.
    case end
  }

  private let library: Libedit
  private let history: String?

  /// Lines of history kept across sessions.
  private static let historyLength: CInt = 1000

  /// Loads libedit; nil if it is not installed.
  ///
  /// - Parameter history: the history file; nil for none.
  init?(history: String?) {
    guard let library = Libedit() else { return nil }
    self.library = library
    self.history = history
    if let history { library.readHistory(history) }
    library.keep(last: Self.historyLength)
  }

  /// Shows `prompt` and reads a line, which is added to the history.
  func next(prompt: String) -> Entry {
    Interrupt.arm()
    let line = library.line(prompt)
    if Interrupt.isPending { return .interrupted }
    guard let line else { return .end }
    if line.utf8.contains(where: { $0 > 0x20 }) { library.keep(line) }
    return .line(line)
  }

  /// Writes the history file.
  func finish() {
    guard let history else { return }
    // Lines may contain what others should not see.
    let mask = umask(0o077)
    library.writeHistory(history)
    umask(mask)
  }

  /// The next key, or -1 at the end of the input and after Ctrl-C. libedit's own would go on waiting if the signal came
  /// between two keys and so did not interrupt read(2).
  static func readKey() -> CInt {
    while !Interrupt.isPending {
      guard SystemCall.isReadable(STDIN_FILENO, within: 50) else { continue }
      var key: [UInt8] = []
      guard SystemCall.read(1, from: STDIN_FILENO, to: &key) == 1 else { break }
      return CInt(key[0])
    }
    return -1
  }
}
