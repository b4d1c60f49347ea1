import Glibc

/// A mapped file that shrinks, or whose disk or network fails, kills the process that reads it with SIGBUS. This turns
/// that into one line on standard error and status 2.
enum BusError {
  /// Installs the handler for a process that reads `path`.
  static func install(_ path: String) {
    SignalHandler.exit(
      on: SIGBUS,
      saying: "kva: \(Diagnostics.printable(path)): cannot be read any more: the file shrank, or its disk or network "
        + "failed; copy it, or read it with --no-mmap\n")
  }
}
