import Bytes
import DebugInfo

/// Numbers: loads, casts and operators.
extension Evaluator {
  /// The value of `syntax` as a number or pointer.
  func scalar(_ syntax: Syntax) throws(ExpressionFailure) -> Scalar {
    try load(value(of: syntax), syntax.range)
  }

  /// The value of `syntax` as an index.
  func integer(_ syntax: Syntax) throws(ExpressionFailure) -> Int64 {
    let found = try scalar(syntax)
    guard case .integer = found.kind else { throw ExpressionFailure("a number is expected here", at: syntax.range) }
    return Int64(bitPattern: found.value)
  }

  /// Loads the value of `operand`. Arrays and functions decay to pointers, as in C.
  func load(_ operand: Operand, _ range: Range<Int>) throws(ExpressionFailure) -> Scalar {
    let type = try typed(operand, range)
    switch type.resolved {
    case .integer(let integer):
      guard integer.size <= 8 else {
        throw ExpressionFailure("'\(type.text)' is too wide to calculate with", at: range)
      }
      return .integer(try bits(operand, integer, range), integer)
    case .enumeration(let enumeration):
      let integer = CInteger(
        name: enumeration.isSigned ? "int" : "unsigned int", size: enumeration.size, isSigned: enumeration.isSigned)
      return .integer(try bits(operand, integer, range), integer)
    case .pointer(let target):
      return Scalar(value: try bits(operand, .unsignedLong, range), kind: .pointer(target))
    case .array(let element, _):
      if let address = operand.address { return Scalar(value: address, kind: .pointer(element)) }
    case .function:
      if let address = operand.address { return Scalar(value: address, kind: .pointer(type)) }
    case .record:
      throw ExpressionFailure("'\(type.text)' is no number; & before it is its address", at: range)
    case .floating: throw ExpressionFailure("kva does not calculate with '\(type.text)'", at: range)
    case .void, .typedef, .qualified, .unknown: break
    }
    throw ExpressionFailure("'\(type.text)' has no value", at: range)
  }

  /// The bits of `operand`, extended as `integer` is.
  private func bits(
    _ operand: Operand, _ integer: CInteger, _ range: Range<Int>
  ) throws(ExpressionFailure) -> UInt64 {
    switch operand.place {
    case .number(let value): return value
    case .memory(let address, let firstBit, let bitCount):
      let place = BitField(firstBit: firstBit, bitCount: bitCount, size: integer.size)
      guard let bytes = memory.bytes(at: canonical(address &+ UInt64(place.offset)), count: place.byteCount) else {
        throw ExpressionFailure(unreadable(address &+ UInt64(place.offset), place.byteCount), at: range)
      }
      return place.value(bytes[...], isSigned: integer.isSigned)
    }
  }

  /// Why `count` bytes from `address` are unreadable, in one line.
  func unreadable(_ address: UInt64, _ count: Int) -> Diagnostic {
    let plain = canonical(address)
    guard plain >> 55 & 1 == 1 else {
      return plain < 4096
        ? Diagnostic(.entryInvalid, hex(address), "a null pointer: \(hex(address)) is not mapped")
        : Diagnostic(.userAddress, hex(address), "\(hex(address)) is an address of user space")
    }
    return UnreadableMemory.describe(context, plain, count)
  }

  // MARK: - Casts

  func cast(_ syntax: Syntax, to type: CType, _ range: Range<Int>) throws(ExpressionFailure) -> Operand {
    switch type.resolved {
    case .integer(let integer):
      guard integer.size <= 8 else {
        throw ExpressionFailure("'\(type.text)' is too wide to calculate with", at: range)
      }
      return .number(integer.extended(try scalar(syntax).value), type)
    case .enumeration(let enumeration):
      let integer = CInteger(name: "", size: enumeration.size, isSigned: enumeration.isSigned)
      return .number(integer.extended(try scalar(syntax).value), type)
    case .pointer: return .number(try scalar(syntax).value, type)
    case .record, .array:
      throw ExpressionFailure("cast to a pointer, and follow that: *(\(CType.pointer(type).text))ADDRESS", at: range)
    case .void: throw ExpressionFailure("'void' has no value", at: range)
    case .floating: throw ExpressionFailure("kva does not calculate with '\(type.text)'", at: range)
    case .function, .typedef, .qualified, .unknown: throw ExpressionFailure("'\(type.text)' has no value", at: range)
    }
  }

  // MARK: - Operators

  func unary(_ sign: String, _ operand: Scalar, _ range: Range<Int>) throws(ExpressionFailure) -> Scalar {
    if sign == "!" { return .integer(operand.value == 0 ? 1 : 0, .int) }
    guard case .integer(let type) = operand.kind else {
      throw ExpressionFailure("'\(sign)' takes a number, not a pointer", at: range)
    }
    let result = Self.promoted(type)
    switch sign {
    case "-": return .integer(0 &- operand.value, result)
    case "~": return .integer(~operand.value, result)
    default: return .integer(operand.value, result)
    }
  }

  /// Integer promotion. (C11 6.3.1.1)
  private static func promoted(_ type: CInteger) -> CInteger { type.size < 4 ? .int : type }

  /// The usual arithmetic conversions. (C11 6.3.1.8)
  private static func common(_ left: CInteger, _ right: CInteger) -> CInteger {
    let left = promoted(left)
    let right = promoted(right)
    if max(left.size, right.size) == 8 {
      return left.size == 8 && !left.isSigned || right.size == 8 && !right.isSigned ? .unsignedLong : .long
    }
    return left.isSigned && right.isSigned ? .int : .unsignedInt
  }

  func binary(
    _ sign: String, _ left: Scalar, _ right: Scalar, _ leftRange: Range<Int>, _ rightRange: Range<Int>
  ) throws(ExpressionFailure) -> Scalar {
    guard case .integer(let leftType) = left.kind, case .integer(let rightType) = right.kind else {
      return try pointers(sign, left, right, leftRange, rightRange)
    }
    if sign == "<<" || sign == ">>" {
      let type = Self.promoted(leftType)
      guard right.value < UInt64(type.size * 8) else {
        throw ExpressionFailure("a shift is by 0 to \(type.size * 8 - 1) bits", at: rightRange)
      }
      if sign == "<<" { return .integer(left.value << right.value, type) }
      let value = type.extended(left.value)
      return .integer(
        type.isSigned ? UInt64(bitPattern: Int64(bitPattern: value) >> Int64(right.value)) : value >> right.value, type)
    }
    let type = Self.common(leftType, rightType)
    let a = type.extended(left.value)
    let b = type.extended(right.value)
    if let isTrue = Self.compared(sign, a, b, isSigned: type.isSigned) { return .integer(isTrue ? 1 : 0, .int) }
    switch sign {
    case "+": return .integer(a &+ b, type)
    case "-": return .integer(a &- b, type)
    case "*": return .integer(a &* b, type)
    case "&": return .integer(a & b, type)
    case "|": return .integer(a | b, type)
    case "^": return .integer(a ^ b, type)
    default: break
    }
    guard b != 0 else { throw ExpressionFailure("a division by zero", at: rightRange) }
    if type.isSigned {
      let x = Int64(bitPattern: a)
      let y = Int64(bitPattern: b)
      let result = sign == "/" ? x.dividedReportingOverflow(by: y) : x.remainderReportingOverflow(dividingBy: y)
      return .integer(UInt64(bitPattern: result.partialValue), type)
    }
    return .integer(sign == "/" ? a / b : a % b, type)
  }

  /// The result of a comparison; nil for any other operator.
  private static func compared(_ sign: String, _ a: UInt64, _ b: UInt64, isSigned: Bool) -> Bool? {
    let isLess = isSigned ? Int64(bitPattern: a) < Int64(bitPattern: b) : a < b
    switch sign {
    case "==": return a == b
    case "!=": return a != b
    case "<": return isLess
    case ">": return !isLess && a != b
    case "<=": return isLess || a == b
    case ">=": return !isLess
    default: return nil
    }
  }

  /// Operators with at least one pointer operand.
  private func pointers(
    _ sign: String, _ left: Scalar, _ right: Scalar, _ leftRange: Range<Int>, _ rightRange: Range<Int>
  ) throws(ExpressionFailure) -> Scalar {
    if let isTrue = Self.compared(sign, left.value, right.value, isSigned: false) {
      return .integer(isTrue ? 1 : 0, .int)
    }
    switch (sign, left.kind, right.kind) {
    case ("+", .pointer(let target), .integer), ("-", .pointer(let target), .integer):
      let distance = right.value &* UInt64(try size(of: target, leftRange))
      return Scalar(value: sign == "+" ? left.value &+ distance : left.value &- distance, kind: left.kind)
    case ("+", .integer, .pointer(let target)):
      return Scalar(value: right.value &+ left.value &* UInt64(try size(of: target, rightRange)), kind: right.kind)
    case ("-", .pointer(let target), .pointer):
      let size = Int64(try size(of: target, leftRange))
      guard size > 0 else { throw ExpressionFailure("'\(target.text)' has no size", at: leftRange) }
      return .integer(UInt64(bitPattern: Int64(bitPattern: left.value &- right.value) / size), .long)
    default:
      var range = leftRange
      if case .pointer = right.kind { range = rightRange }
      throw ExpressionFailure("'\(sign)' takes no pointer: cast it to unsigned long", at: range)
    }
  }
}
