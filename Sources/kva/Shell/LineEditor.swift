import Glibc

/// libedit, loaded when a prompt is shown: linked, it would cost every start of every command 400,000
/// instructions and 39 system calls.
/// (editline/readline.h)
@safe
struct LineEditor {
  /// What a person entered.
  enum Entry {
    case line(String)
    /// Ctrl-C: the line is given up.
    case interrupted
    /// Ctrl-D at the beginning of a line.
    case end
  }

  private typealias ReadLine = @convention(c) (UnsafePointer<CChar>?) -> UnsafeMutablePointer<CChar>?
  private typealias TakesText = @convention(c) (UnsafePointer<CChar>?) -> CInt
  private typealias TakesNumber = @convention(c) (CInt) -> Void
  private typealias ReadKey = @convention(c) (OpaquePointer?) -> CInt
  private typealias Completer =
    @convention(c) (UnsafePointer<CChar>?, CInt, CInt) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?

  private let readLine: ReadLine
  private let addHistory: TakesText
  private let readHistory: TakesText
  private let writeHistory: TakesText
  private let limitHistory: TakesNumber
  private let history: String?

  /// Lines that are kept from one session to the next.
  private static let historyLength: CInt = 1000

  /// Loads it; nil where it is not installed.
  ///
  /// - Parameter history: the file that lines are kept in; nil to keep none.
  init?(history: String?) {
    // Debian calls it .2, all others .0. Global, so that completion finds the line that is being edited.
    let names = ["libedit.so.2", "libedit.so.0", "libedit.so"]
    guard let library = unsafe names.lazy.compactMap({ unsafe dlopen($0, RTLD_NOW | RTLD_GLOBAL) }).first,
      let readLine = unsafe dlsym(library, "readline"), let addHistory = unsafe dlsym(library, "add_history"),
      let readHistory = unsafe dlsym(library, "read_history"),
      let writeHistory = unsafe dlsym(library, "write_history"),
      let limitHistory = unsafe dlsym(library, "stifle_history"),
      let completer = unsafe dlsym(library, "rl_attempted_completion_function"),
      let keyReader = unsafe dlsym(library, "rl_getc_function")
    else { return nil }
    unsafe self.readLine = unsafeBitCast(readLine, to: ReadLine.self)
    unsafe self.addHistory = unsafeBitCast(addHistory, to: TakesText.self)
    unsafe self.readHistory = unsafeBitCast(readHistory, to: TakesText.self)
    unsafe self.writeHistory = unsafeBitCast(writeHistory, to: TakesText.self)
    unsafe self.limitHistory = unsafeBitCast(limitHistory, to: TakesNumber.self)
    self.history = history
    let complete: Completer = { text, start, _ in
      guard let line = unsafe dlsym(nil, "rl_line_buffer")?.load(as: UnsafePointer<CChar>?.self) else { return nil }
      let before = unsafe String(cString: line).utf8.prefix(Int(start))
      let word = unsafe text.map { unsafe String(cString: $0) } ?? ""
      return unsafe LineEditor.matches(Completion.candidates(word, after: String(decoding: before, as: UTF8.self)))
    }
    unsafe completer.storeBytes(of: complete, as: Completer.self)
    let readKey: ReadKey = { _ in LineEditor.readKey() }
    unsafe keyReader.storeBytes(of: readKey, as: ReadKey.self)
    if let history { _ = unsafe self.readHistory(history) }
    self.limitHistory(Self.historyLength)
  }

  /// Shows `prompt` and lets a person enter a line, which is kept.
  func next(prompt: String) -> Entry {
    Interrupt.arm()
    guard let text = unsafe readLine(prompt) else { return Interrupt.isPending ? .interrupted : .end }
    defer { unsafe free(text) }
    if Interrupt.isPending { return .interrupted }
    let line = unsafe String(cString: text)
    if line.utf8.contains(where: { $0 > 0x20 }) { _ = unsafe addHistory(text) }
    return .line(line)
  }

  /// Writes the lines that were entered to the file that they are kept in.
  func finish() {
    guard let history else { return }
    // Lines may name what others should not see.
    let mask = umask(0o077)
    _ = unsafe writeHistory(history)
    umask(mask)
  }

  /// The next key, or -1 at the end of the input and after Ctrl-C. libedit's own would wait on where the signal
  /// came between two keys, and read(2) was not interrupted.
  private static func readKey() -> CInt {
    while !Interrupt.isPending {
      var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&waiting, 1, 50) > 0 else { continue }
      var key: UInt8 = 0
      let count = unsafe read(STDIN_FILENO, &key, 1)
      if count == 1 { return CInt(key) }
      if count == 0 || errno != EINTR { break }
    }
    return -1
  }

  /// `candidates` as `rl_attempted_completion_function` returns them: first what they have in common, then each,
  /// all allocated; nil for none. libedit looks at the third even where there is one candidate.
  private static func matches(_ candidates: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
    guard var common = candidates.first.map({ Array($0.utf8) }) else { return nil }
    for candidate in candidates {
      let length = zip(common, candidate.utf8).prefix { $0 == $1 }.count
      common.removeLast(common.count - length)
    }
    let strings = [String(decoding: common, as: UTF8.self)] + candidates
    let size = unsafe MemoryLayout<UnsafeMutablePointer<CChar>?>.stride
    guard let memory = unsafe calloc(strings.count + 2, size) else { return nil }
    let list = unsafe memory.bindMemory(to: UnsafeMutablePointer<CChar>?.self, capacity: strings.count + 2)
    for (place, string) in strings.enumerated() { unsafe list[place] = strdup(string) }
    return unsafe list
  }
}
