import Glibc

/// A file that shrinks while it is mapped, or whose disk or network fails, ends the process that looks at it with
/// SIGBUS. This makes of it one line on standard error and status 2.
///
/// Why the handler is safe: it reads one pointer and one count, written before it is installed and never after, and
/// calls nothing but write(2) and _exit(2), which may be called in a handler (signal-safety(7)). The line is never
/// freed. It is installed once, and only where a file is opened.
@safe
enum BusError {
  nonisolated(unsafe) private static var line: UnsafeMutableRawBufferPointer?

  /// Prepares for the end of a process that reads `path`.
  static func install(_ path: String) {
    guard unsafe line == nil else { return }
    let text =
      "kva: \(Diagnostics.printable(path)): cannot be read any more: the file shrank, or its disk or network failed; "
      + "copy it, or read it with --no-mmap\n"
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 1)
    unsafe copy.copyBytes(from: text.utf8)
    unsafe line = copy
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in
      if let line = unsafe BusError.line { _ = unsafe write(STDERR_FILENO, line.baseAddress, line.count) }
      _exit(2)
    }
    unsafe sigaction(SIGBUS, &action, nil)
  }
}
