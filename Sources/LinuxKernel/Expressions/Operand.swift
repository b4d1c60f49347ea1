import DebugInfo

/// The result of an expression: an object in memory, or a number.
package struct Operand: Sendable {
  /// Where its value is.
  package enum Place: Sendable {
    /// In memory at an address plus `firstBit` bits; `bitCount` is the width of a bit field.
    case memory(UInt64, firstBit: Int, bitCount: Int?)
    /// The value itself, extended to 64 bits.
    case number(UInt64)
  }
  /// Its type; nil for a symbol of unknown type.
  package let type: CType?
  package let place: Place
  /// The symbol that it is, if it is one.
  package var symbol: String?

  /// The address; nil for a number and for a bit field.
  package var address: UInt64? {
    if case .memory(let address, 0, nil) = place { address } else { nil }
  }

  static func memory(_ address: UInt64, _ type: CType?, symbol: String? = nil) -> Operand {
    Operand(type: type, place: .memory(address, firstBit: 0, bitCount: nil), symbol: symbol)
  }

  static func number(_ value: UInt64, _ type: CType) -> Operand { Operand(type: type, place: .number(value)) }
}

/// A typed number, an operand of operators.
struct Scalar {
  enum Kind {
    case integer(CInteger)
    case pointer(CType)
  }
  /// Extended to 64 bits.
  let value: UInt64
  let kind: Kind

  var type: CType {
    switch kind {
    case .integer(let integer): .integer(integer)
    case .pointer(let target): .pointer(target)
    }
  }

  /// The number as an operand.
  var operand: Operand { .number(value, type) }

  /// `value` converted to an integer type.
  static func integer(_ value: UInt64, _ type: CInteger) -> Scalar {
    Scalar(value: type.extended(value), kind: .integer(type))
  }
}

extension CInteger {
  static let int = CInteger(name: "int", size: 4, isSigned: true)
  static let unsignedInt = CInteger(name: "unsigned int", size: 4, isSigned: false)
  static let long = CInteger(name: "long", size: 8, isSigned: true)
  static let unsignedLong = CInteger(name: "unsigned long", size: 8, isSigned: false)

  /// `value` truncated to the type's size and extended to 64 bits.
  func extended(_ value: UInt64) -> UInt64 {
    if isBool { return value == 0 ? 0 : 1 }
    guard size < 8, size > 0 else { return value }
    let shift = UInt64(64 - 8 * size)
    return isSigned ? UInt64(bitPattern: Int64(bitPattern: value << shift) >> Int64(shift)) : (value << shift) >> shift
  }
}
