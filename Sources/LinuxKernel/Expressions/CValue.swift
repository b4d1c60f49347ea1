import Bytes

/// A value of a C type, read from memory.
package indirect enum CValue: Sendable {
  /// An integer by its 64 bits.
  case integer(Int64, isSigned: Bool)
  /// An integer of 16 bytes.
  case wide(low: UInt64, high: UInt64)
  case bool(Bool)
  case floating(Double)
  case pointer(UInt64, PointerNote)
  /// An enumeration's value and its name; several joined by `|` if it consists of single bits.
  case enumeration(Int64, isSigned: Bool, name: String?)
  /// A character array that holds text.
  case text(String)
  /// The members, with those of anonymous members inlined.
  case record([(name: String, value: CValue)])
  /// The elements that were read, and how many there are.
  case array([CValue], count: Int)
  /// Why it cannot be read.
  case unreadable(Diagnostic)
  /// Nested deeper than was requested.
  case omitted

  /// What a pointer points to, for display.
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

  /// Everything, for programs.
  package static let all = ValueExtent(depth: .max, elements: .max, explainsPointers: false)
}
