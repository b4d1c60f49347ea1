/// The input is a line of `kva batch`. (JSONReader.swift is the command's own file.)
@Sendable func fuzzBatch(_ bytes: [UInt8]) {
  guard let value = try? JSONReader.value(bytes[...]) else { return }
  // What was read once reads again as the same.
  let text = Array(json(value).utf8)
  precondition((try? JSONReader.value(text[...])) == value, "what was read is written and read again")
}

private func json(_ value: JSONValue) -> String {
  switch value {
  case .null: "null"
  case .bool(let value): value ? "true" : "false"
  case .number(let digits): digits
  case .string(let text): quoted(text)
  case .array(let values): "[" + values.map(json).joined(separator: ",") + "]"
  case .object(let members): "{" + members.map { quoted($0.name) + ":" + json($0.value) }.joined(separator: ",") + "}"
  }
}

private func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"", "\\": result += "\\\(scalar)"
    case "\u{0}"..."\u{1f}":
      let digits = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}
