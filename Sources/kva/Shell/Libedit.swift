import Glibc

/// The functions of libedit that a prompt needs (editline/readline.h), loaded with dlopen(3): linking it would cost
/// every start of every command 400,000 instructions and 39 system calls.
///
/// Safety: each function and variable is called and written as the header declares it, an interface that is GNU
/// readline's and has been the same for decades. The library is never unloaded, so the pointers stay valid. Strings
/// passed to it end with NUL and it copies them; the caller frees the line that it returns, and it frees the completion
/// list, all of whose parts come from malloc(3). It calls back on the thread that called it, with strings that end with
/// NUL and last as long as the call; `rl_line_buffer` is the line as it is then.
@safe
struct Libedit {
  private typealias ReadLine = @convention(c) (UnsafePointer<CChar>?) -> UnsafeMutablePointer<CChar>?
  private typealias TakesText = @convention(c) (UnsafePointer<CChar>?) -> CInt
  private typealias TakesNumber = @convention(c) (CInt) -> Void
  private typealias ReadKey = @convention(c) (OpaquePointer?) -> CInt
  private typealias Matches = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private typealias Completer = @convention(c) (UnsafePointer<CChar>?, CInt, CInt) -> Matches?

  private let readLine: ReadLine
  private let add: TakesText
  private let read: TakesText
  private let write: TakesText
  private let limit: TakesNumber

  /// Loads the library, and makes it read keys through `LineEditor` and complete words through `Completion`; nil if it
  /// is not installed.
  init?() {
    // Debian calls it .2, all others .0. Global, so that completion finds the line being edited.
    let names = ["libedit.so.2", "libedit.so.0", "libedit.so"]
    guard let library = unsafe names.lazy.compactMap({ unsafe dlopen($0, RTLD_NOW | RTLD_GLOBAL) }).first,
      let readLine = unsafe dlsym(library, "readline"), let add = unsafe dlsym(library, "add_history"),
      let read = unsafe dlsym(library, "read_history"), let write = unsafe dlsym(library, "write_history"),
      let limit = unsafe dlsym(library, "stifle_history"),
      let completer = unsafe dlsym(library, "rl_attempted_completion_function"),
      let keyReader = unsafe dlsym(library, "rl_getc_function")
    else { return nil }
    unsafe self.readLine = unsafeBitCast(readLine, to: ReadLine.self)
    unsafe self.add = unsafeBitCast(add, to: TakesText.self)
    unsafe self.read = unsafeBitCast(read, to: TakesText.self)
    unsafe self.write = unsafeBitCast(write, to: TakesText.self)
    unsafe self.limit = unsafeBitCast(limit, to: TakesNumber.self)
    let complete: Completer = { text, start, _ in
      guard let line = unsafe dlsym(nil, "rl_line_buffer")?.load(as: UnsafePointer<CChar>?.self) else { return nil }
      let before = unsafe String(cString: line).utf8.prefix(Int(start))
      let word = unsafe text.map { unsafe String(cString: $0) } ?? ""
      return unsafe Libedit.matches(Completion.candidates(word, after: String(decoding: before, as: UTF8.self)))
    }
    unsafe completer.storeBytes(of: complete, as: Completer.self)
    let readKey: ReadKey = { _ in LineEditor.readKey() }
    unsafe keyReader.storeBytes(of: readKey, as: ReadKey.self)
  }

  /// Shows `prompt` and returns the line entered; nil at the end of the input.
  func line(_ prompt: String) -> String? {
    guard let text = unsafe readLine(prompt) else { return nil }
    defer { unsafe free(text) }
    return unsafe String(cString: text)
  }

  /// Adds `line` to the history.
  func keep(_ line: String) { _ = unsafe add(line) }

  /// Keeps only the last `count` lines.
  func keep(last count: CInt) { limit(count) }

  /// Reads the history from the file at `path`.
  func readHistory(_ path: String) { _ = unsafe read(path) }

  /// Writes the history to the file at `path`.
  func writeHistory(_ path: String) { _ = unsafe write(path) }

  /// `candidates` as `rl_attempted_completion_function` returns them: first the common prefix, then each, all
  /// allocated; nil for none. libedit reads the third even if there is only one candidate.
  private static func matches(_ candidates: [String]) -> Matches? {
    guard !candidates.isEmpty else { return nil }
    let strings = [Completion.common(candidates)] + candidates
    let size = unsafe MemoryLayout<UnsafeMutablePointer<CChar>?>.stride
    guard let memory = unsafe calloc(strings.count + 2, size) else { return nil }
    let list = unsafe memory.bindMemory(to: UnsafeMutablePointer<CChar>?.self, capacity: strings.count + 2)
    for (place, string) in strings.enumerated() { unsafe list[place] = strdup(string) }
    return unsafe list
  }
}
