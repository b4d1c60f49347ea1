extension Output {
  /// Writes text from a dump: control characters, which a terminal would obey, as `?`.
  func printable(_ text: some StringProtocol) {
    for value in text.utf8 { byte(value < 0x20 && value != 0x09 || value == 0x7f ? UInt8(ascii: "?") : value) }
  }

  /// Writes a name from a dump: control characters as `\x02`, so that it stays distinguishable.
  func escapedName(_ name: String) {
    guard ControlBytes.arePresent(in: name.utf8.span.rawSpan) else { return text(name) }
    for value in name.utf8 {
      if value < 0x20 || value == 0x7f {
        text("\\x")
        digits(ofByte: value)
      } else {
        byte(value)
      }
    }
  }

  /// Writes `value` right-aligned in `width` columns.
  func column(_ value: String, _ width: Int) {
    spaces(width - value.utf8.count)
    text(value)
  }
}
