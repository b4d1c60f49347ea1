import Glibc
import KernelVA

/// A prompt at which lines are edited, completed and kept.
struct LineEditor {
  /// What a person entered.
  enum Entry {
    case line(String)
    /// Ctrl-C: the line is given up.
    case interrupted
    /// Ctrl-D at the beginning of a line.
    case end
  }

  private let library: Libedit
  private let history: String?

  /// Lines that are kept from one session to the next.
  private static let historyLength: CInt = 1000

  /// Loads what edits; nil if it is not installed.
  ///
  /// - Parameter history: the file that lines are kept in; nil to keep none.
  init?(history: String?) {
    guard let library = Libedit() else { return nil }
    self.library = library
    self.history = history
    if let history { library.readHistory(history) }
    library.keep(last: Self.historyLength)
  }

  /// Shows `prompt` and lets a person enter a line, which is kept.
  func next(prompt: String) -> Entry {
    Interrupt.arm()
    let line = library.line(prompt)
    if Interrupt.isPending { return .interrupted }
    guard let line else { return .end }
    if line.utf8.contains(where: { $0 > 0x20 }) { library.keep(line) }
    return .line(line)
  }

  /// Writes the lines that were entered to the file that they are kept in.
  func finish() {
    guard let history else { return }
    // Lines may name what others should not see.
    let mask = umask(0o077)
    library.writeHistory(history)
    umask(mask)
  }

  /// The next key, or -1 at the end of the input and after Ctrl-C. libedit's own would wait on where the signal
  /// came between two keys, and read(2) was not interrupted.
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
