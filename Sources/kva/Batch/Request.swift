extension Output {
  /// Writes the ID of a request as it was given: a string, a number or null.
  func jsonIdentifier(_ value: JSONValue) {
    switch value {
    case .string(let text): jsonString(text)
    case .number(let number): text(number)
    default: text("null")
    }
  }
}

/// A request of `kva batch`.
struct Request {
  /// Its ID, repeated in the answer: a string, a number or null.
  var id = JSONValue.null
  var command = ""
  var arguments: [String] = []
  /// Long options without their dashes, except `json`.
  var options: [JSONValue.Member] = []
  /// Whether the answer is to be text for people (`"json": false`).
  var isForPeople = false

  /// Reads the members of `object`.
  ///
  /// - Throws: a `Problem` that says which is wrong; the ID is set if it could be read.
  mutating func read(_ object: [JSONValue.Member]) throws(Problem) {
    // The ID first, so that the answer has it whatever else is wrong.
    for case let member in object where member.name == "id" {
      switch member.value {
      case .string, .number, .null: id = member.value
      default: throw .badRequest("'id' has to be a string or a number")
      }
    }
    for member in object {
      switch (member.name, member.value) {
      case ("id", _): break
      case ("command", .string(let name)): command = name
      case ("arguments", .array(let values)): arguments = try values.map(Self.argument)
      case ("options", .object(let members)):
        options = members.filter { $0.name != "json" }
        isForPeople = members.contains(JSONValue.Member(name: "json", value: .bool(false)))
      case ("command", _): throw .badRequest("'command' has to be a string")
      case ("arguments", _): throw .badRequest("'arguments' has to be an array")
      case ("options", _): throw .badRequest("'options' has to be an object")
      default:
        throw .badRequest("a request has no '\(member.name)'; it has 'id', 'command', 'arguments' and 'options'")
      }
    }
    if command.isEmpty { throw .badRequest("'command' is missing: it says what is asked") }
  }

  private static func argument(_ value: JSONValue) throws(Problem) -> String {
    switch value {
    case .string(let text): return text
    // A JSON number is decimal, not the hex digits that it may look like.
    case .number(let text):
      guard let number = UInt64(text) else {
        throw .badRequest("an argument that is a number has to be whole, from 0 to 2^64 - 1")
      }
      return "0x" + String(number, radix: 16)
    default: throw .badRequest("an argument has to be a string or a number")
    }
  }
}
