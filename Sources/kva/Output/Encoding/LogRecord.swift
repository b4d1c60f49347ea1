import KernelVA

extension JSONObject {
  /// The fields of a log message.
  mutating func logRecord(_ record: LogRecord) {
    number("sequence", record.sequence)
    number("timestamp", record.timestamp)
    number("level", record.level)
    number("facility", record.facility)
    string("caller", record.caller)
    string("text", record.text)
  }
}

extension Output {
  /// One message as a JSON object.
  func logJSON(_ record: LogRecord) { jsonLine { $0.logRecord(record) } }

  /// A log message as dmesg(1) shows it, each of its lines with the time: seconds since boot, or a date if the boot
  /// time is known.
  func logText(_ record: LogRecord, boot: UInt64? = nil) {
    let seconds = Words.seconds(record.timestamp)
    let time =
      boot.map { Words.date($0 &+ record.timestamp / 1_000_000_000) }
      ?? String(repeating: " ", count: max(0, 12 - seconds.utf8.count)) + seconds
    let style: Style? = record.level <= 3 ? .bad : record.level == 4 ? .doubtful : nil
    for line in record.text.split(separator: "\n", omittingEmptySubsequences: false) {
      folded(indent: time.utf8.count + 3) {
        text("[\(time)] ")
        styled(style) { printable(line) }
        newline()
      }
    }
  }
}
