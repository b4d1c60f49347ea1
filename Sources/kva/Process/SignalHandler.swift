import Glibc
import KernelVA

/// Signal handlers.
///
/// Safety: sigaction(2) gets a struct of its own and copies it. A handler may run between any two instructions of any
/// thread, so it touches only what is safe there (signal-safety(7)): one installed by `call` may only read and write
/// atomic values; that of `exit` calls write(2) and _exit(2), and reads `lastWords`, written once, before it is
/// installed, by the one thread that opens files, and never changed or freed.
@safe
enum SignalHandler {
  /// A handler that may run at any time; it captures nothing.
  typealias Function = @convention(c) (Int32) -> Void

  nonisolated(unsafe) private static var lastWords: UnsafeRawBufferPointer?

  /// Calls `function` on `signal`.
  ///
  /// - Parameter once: from the second time on, the signal has its default action.
  static func call(_ function: @escaping Function, on signal: Int32, once: Bool) {
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = function
    if once { action.sa_flags = CInt(bitPattern: SA_RESETHAND) }
    unsafe sigaction(signal, &action, nil)
  }

  /// Ends the process with status 2 on `signal`, after writing `text` to standard error. Only the first such call has
  /// an effect.
  static func exit(on signal: Int32, saying text: String) {
    guard unsafe lastWords == nil else { return }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 1)
    unsafe bytes.copyBytes(from: text.utf8)
    unsafe lastWords = UnsafeRawBufferPointer(bytes)
    call(
      { _ in
        if let words = unsafe SignalHandler.lastWords {
          _ = unsafe write(STDERR_FILENO, words.baseAddress, words.count)
        }
        _exit(2)
      }, on: signal, once: false)
  }
}
