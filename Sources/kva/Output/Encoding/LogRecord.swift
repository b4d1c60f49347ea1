import KernelVA

extension JSONObject {
  /// The fields of a message of the log.
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

  /// A message of the log as dmesg(1) shows it, each of its lines with the time.
  func logText(_ record: LogRecord) {
    for line in record.text.split(separator: "\n", omittingEmptySubsequences: false) {
      text("[")
      let seconds = String(record.timestamp / 1_000_000_000)
      spaces(5 - seconds.utf8.count)
      let micros = String(record.timestamp / 1000 % 1_000_000)
      text("\(seconds).\(String(repeating: "0", count: 6 - micros.utf8.count))\(micros)] ")
      printable(line)
      newline()
    }
  }
}
