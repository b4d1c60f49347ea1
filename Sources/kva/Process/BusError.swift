import Glibc

/// A file that shrinks while it is mapped, or whose disk or network fails, ends the process that looks at it with
/// SIGBUS. This makes of it one line on standard error and status 2.
enum BusError {
  /// Prepares for the end of a process that reads `path`.
  static func install(_ path: String) {
    SignalHandler.exit(
      on: SIGBUS,
      saying: "kva: \(Diagnostics.printable(path)): cannot be read any more: the file shrank, or its disk or network "
        + "failed; copy it, or read it with --no-mmap\n")
  }
}
