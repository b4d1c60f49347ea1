import KernelVA

extension JSONObject {
  /// The fields of a source line.
  mutating func sourceLine(_ source: SourceLine) {
    string("file", source.file)
    number("line", source.line)
  }
}
