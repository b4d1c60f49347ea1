/// The payload of a client's packet, consumed from the left.
struct Request {
  private(set) var rest: ArraySlice<UInt8>

  init(_ payload: [UInt8]) { rest = payload[...] }

  /// The rest of the payload as text.
  var text: String { String(decoding: rest, as: UTF8.self) }

  /// Consumes `prefix` if it comes next.
  mutating func take(_ prefix: StaticString) -> Bool {
    let word = "\(prefix)".utf8
    guard rest.starts(with: word) else { return false }
    rest = rest.dropFirst(word.count)
    return true
  }

  /// Consumes everything up to and including `separator`, and returns what precedes it; the whole rest if there is no
  /// separator.
  mutating func take(upTo separator: Character) -> ArraySlice<UInt8> {
    let end = separator.asciiValue.flatMap { rest.firstIndex(of: $0) } ?? rest.endIndex
    defer { rest = end == rest.endIndex ? rest[end...] : rest[(end + 1)...] }
    return rest[..<end]
  }

  /// Consumes `address,length`, up to a `;` or the end.
  mutating func addressAndLength() -> (address: UInt64, length: UInt64)? {
    var both = Request(Array(take(upTo: ";")))
    guard let address = Hex.number(both.take(upTo: ",")), let length = Hex.number(both.rest) else { return nil }
    return (address, length)
  }

  /// The thread named by a trailing `thread:ID;`. (lldb, `QThreadSuffixSupported`)
  mutating func threadSuffix() -> UInt64? {
    var rest = self
    _ = rest.take(";")
    guard rest.take("thread:") else { return nil }
    return Hex.number(rest.take(upTo: ";"))
  }
}
