extension JSONObject {
  /// The fields of a problem.
  mutating func problem(_ problem: Problem) {
    string("kind", problem.kind.rawValue)
    if let file = problem.file { string("file", file) }
    if let offset = problem.offset { hex("offset", offset) }
    if let code = problem.code { string("code", code.rawValue) }
    string("message", problem.message)
  }
}
