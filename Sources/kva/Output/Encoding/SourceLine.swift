import KernelVA

extension JSONObject {
  /// The fields of a line of source.
  mutating func sourceLine(_ source: SourceLine) {
    string("file", source.file)
    number("line", source.line)
  }
}
