/// A source of complete types, which refer to each other by number.
package protocol TypeGraph: AnyObject, Sendable {
  /// Its description for messages.
  var origin: String { get }
  /// The module whose types they are; nil for the kernel itself.
  var module: String? { get }
  /// The shape of the type at `number`.
  func shape(_ number: Int) -> TypeShape
  /// The members of the record at `number`.
  func members(of number: Int) -> [CMember]
  /// The enumerators of the enumeration at `number`.
  func enumerators(of number: Int) -> [CEnumerator]
  /// The types called `name`, only definitions, in order; a graph that extends another returns only its own.
  func types(named name: TypeName) -> [CType]
  /// Calls `body` with each named type until it returns false.
  func forEachType(_ body: (TypeName, CType) -> Bool)
  /// The type of the variable `name`.
  func variable(named name: String) -> CType?
  /// The type of the function `name`.
  func function(named name: String) -> CType?
  /// The value of the enumerator `name`, and the type of its enumeration.
  func enumerator(named name: String) -> (type: CType, value: Int64)?
}

/// The name of a type, with its name space.
package struct TypeName: Hashable, Sendable, CustomStringConvertible {
  /// A C name space.
  package enum Space: String, Sendable {
    case structure = "struct"
    case union
    case enumeration = "enum"
    /// Typedefs and basic types.
    case ordinary = ""
  }

  /// The name space; nil for any, tags first.
  package let space: Space?
  package let name: String

  package init(_ space: Space?, _ name: String) {
    self.space = space
    self.name = name
  }

  /// Reads `struct NAME`, `union NAME`, `enum NAME` or a name of any space.
  package init(_ text: some StringProtocol) {
    let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
    if words.count > 1, let space = Space(rawValue: String(words[0])), space != .ordinary {
      self.init(space, words[1...].joined(separator: " "))
    } else {
      self.init(nil, words.joined(separator: " "))
    }
  }

  package var description: String {
    guard let space, space != .ordinary else { return name }
    return "\(space.rawValue) \(name)"
  }
}
