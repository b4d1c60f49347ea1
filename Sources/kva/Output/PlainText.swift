extension Output {
  /// Writes text from a dump: control characters, which a terminal would obey, as `?`.
  func printable(_ text: some StringProtocol) {
    for value in text.utf8 { byte(value < 0x20 && value != 0x09 || value == 0x7f ? UInt8(ascii: "?") : value) }
  }

  /// Writes `value` at the right of `width` columns.
  func column(_ value: String, _ width: Int) {
    spaces(width - value.utf8.count)
    text(value)
  }
}
