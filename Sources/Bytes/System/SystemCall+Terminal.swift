import Glibc

/// Properties of a terminal.
///
/// Safety: ioctl(2) fills a local winsize and keeps no pointer to it.
extension SystemCall {
  /// The width of the terminal that `file` is, in columns; nil if `file` is not a terminal, or its width is unknown.
  package static func terminalWidth(of file: Int32) -> Int? {
    var size = winsize()
    guard unsafe ioctl(file, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}
