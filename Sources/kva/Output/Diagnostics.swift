import Glibc

/// What goes to standard error: one line each, `kva: FILE: what is wrong`.
enum Diagnostics {
  /// Writes one line. Control characters, which may come from a file's name or a note, become `?`.
  static func report(_ message: String) {
    let line = Array("kva: \(printable(message))\n".utf8)
    unsafe line.withUnsafeBytes { bytes in
      _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count)
    }
  }

  /// `text` with `?` for each control character.
  static func printable(_ text: String) -> String {
    String(decoding: text.utf8.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
  }
}
