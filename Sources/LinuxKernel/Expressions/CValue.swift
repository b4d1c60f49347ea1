/// A value of a C type, read from memory.
package indirect enum CValue: Sendable {
  /// An integer by its 64 bits.
  case integer(Int64, isSigned: Bool)
  /// An integer of 16 bytes.
  case wide(low: UInt64, high: UInt64)
  case bool(Bool)
  case floating(Double)
  case pointer(UInt64, PointerNote)
  /// An enumeration's value, and the names of it; several joined by `|` if it is made of single bits.
  case enumeration(Int64, isSigned: Bool, name: String?)
  /// An array of characters that holds text.
  case text(String)
  /// The members; those of anonymous members stand among them.
  case record([(name: String, value: CValue)])
  /// The elements that were read, and how many there are.
  case array([CValue], count: Int)
  /// Why there is none.
  case unreadable(String)
  /// Deeper than was asked for.
  case omitted

  /// What a pointer points to, for people.
  package enum PointerNote: Sendable {
    case none
    /// A symbol with an offset.
    case symbol(String)
    /// Text.
    case text(String)
  }
}

/// How much of a value is read.
package struct ValueExtent: Sendable {
  /// Levels of structures, unions and arrays.
  package var depth: Int
  /// Elements of each array.
  package var elements: Int
  /// Whether pointers are explained.
  package var explainsPointers: Bool

  package init(depth: Int, elements: Int, explainsPointers: Bool) {
    self.depth = depth
    self.elements = elements
    self.explainsPointers = explainsPointers
  }

  /// Everything, as programs want it.
  package static let all = ValueExtent(depth: .max, elements: .max, explainsPointers: false)
}
