import Glibc

/// What goes to standard error: one line each, `kva: FILE: what is wrong`.
enum Diagnostics {
  /// Writes one line. Control characters, which may come from a file's name or a note, become `?`.
  static func report(_ message: String) {
    var line = Array("kva: ".utf8)
    line += message.utf8.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }
    line.append(UInt8(ascii: "\n"))
    unsafe line.withUnsafeBytes { bytes in
      _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count)
    }
  }
}
