import Glibc

/// What a terminal says of itself.
///
/// Safety: ioctl(2) gets a winsize of its own, for as long as it runs, and keeps nothing of it.
extension SystemCall {
  /// The width of the terminal that `file` is, in columns; nil if `file` is no terminal, or one that does not know.
  package static func terminalWidth(of file: Int32) -> Int? {
    var size = winsize()
    guard unsafe ioctl(file, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}
