extension JSONObject {
  /// The fields of a problem.
  mutating func problem(_ problem: Problem) {
    string("kind", problem.kind.rawValue)
    if let file = problem.file { string("file", file) }
    if let offset = problem.offset { hex("offset", offset) }
    string("message", problem.message)
  }
}
