import Bytes
import DebugInfo

/// Reads typed values from memory, page by page.
struct ValueReader {
  private let evaluator: Evaluator
  private let extent: ValueExtent
  private let source: PageSource
  private var valuesLeft = Limits.shownValues
  private let page: UInt64
  /// The last page read: its address, and its bytes or why they cannot be read.
  private var current: (address: UInt64, bytes: Result<[UInt8], ExpressionFailure>)?
  /// What was unreadable, one sentence per page.
  private(set) var notes: [Diagnostic] = []

  init(_ evaluator: Evaluator, _ extent: ValueExtent, _ source: PageSource? = nil) {
    self.evaluator = evaluator
    self.extent = extent
    self.source = source ?? evaluator.pages
    page = evaluator.context.regime.granule.size
  }

  /// The value of `operand`.
  mutating func value(_ operand: Operand, _ type: CType) -> CValue {
    switch operand.place {
    case .memory(let address, let firstBit, let bitCount):
      return value(type, at: evaluator.canonical(address), firstBit: firstBit, bitCount: bitCount)
    case .number(let bits): return scalar(type, bits)
    }
  }

  /// The value of `type` at `address`, or of a bit field there.
  mutating func value(_ type: CType, at address: UInt64, firstBit: Int = 0, bitCount: Int? = nil) -> CValue {
    value(type, address, firstBit: firstBit, bitCount: bitCount, depth: 0)
  }

  /// A number as a value of `type`.
  private func scalar(_ type: CType, _ bits: UInt64) -> CValue {
    switch type.resolved {
    case .integer(let integer):
      return integer.isBool ? .bool(bits != 0) : .integer(Int64(bitPattern: bits), isSigned: integer.isSigned)
    case .enumeration(let enumeration): return self.enumeration(enumeration, Int64(bitPattern: bits))
    case .floating(_, 4): return .floating(Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))))
    case .floating: return .floating(Double(bitPattern: bits))
    case .pointer(let target): return .pointer(bits, note(bits, target))
    default: return .integer(Int64(bitPattern: bits), isSigned: false)
    }
  }

  private func enumeration(_ enumeration: CEnumeration, _ value: Int64) -> CValue {
    let items = enumeration.enumerators
    var name = items.first { $0.value == value }?.name
    // Flags are named by their bits.
    if name == nil, value > 0, items.contains(where: { $0.value > 2 }),
      items.allSatisfy({ $0.value >= 0 && $0.value.nonzeroBitCount <= 1 })
    {
      let set = items.filter { $0.value != 0 && value & $0.value != 0 }
      if set.reduce(0, { $0 | $1.value }) == value { name = set.map(\.name).joined(separator: "|") }
    }
    return .enumeration(value, isSigned: enumeration.isSigned, name: name)
  }

  private func note(_ pointer: UInt64, _ target: CType) -> CValue.PointerNote {
    guard extent.explainsPointers, pointer != 0 else { return .none }
    let address = evaluator.canonical(pointer)
    guard address >> 55 & 1 == 1 else { return .none }
    if target.mayPointToText,
      let text = evaluator.memory.string(at: address, limit: Limits.shownText), Self.isText(Array(text.utf8)[...])
    {
      return .text(text)
    }
    guard let symbol = evaluator.names.symbol(containing: address),
      symbol.size == 0 || address - symbol.address < symbol.size
    else { return .none }
    let offset = address - symbol.address
    return .symbol(symbol.name + (offset == 0 ? "" : "+\(hex(offset))") + (symbol.module.map { " [\($0)]" } ?? ""))
  }

  private static func isText(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x0a || $0 == 0x09 }
      && String(validating: bytes, as: UTF8.self) != nil
  }

  // MARK: - Memory

  /// `count` bytes from `address`, within two pages.
  private mutating func bytes(_ address: UInt64, _ count: Int) -> Result<[UInt8], ExpressionFailure> {
    var result: [UInt8] = []
    var here = address
    while result.count < count {
      let start = here & ~(page - 1)
      if current?.address != start { current = (start, read(start)) }
      switch current?.bytes {
      case .success(let bytes)?:
        let from = Int(here - start)
        let part = min(count - result.count, bytes.count - from)
        guard part > 0 else {
          return .failure(ExpressionFailure(Diagnostic(.pageUnreadable, hex(here), "\(hex(here)) cannot be read")))
        }
        result += bytes[from..<(from + part)]
        here &+= UInt64(part)
      case .failure(let failure)?: return .failure(failure)
      case nil:
        return .failure(ExpressionFailure(Diagnostic(.pageUnreadable, hex(here), "\(hex(here)) cannot be read")))
      }
    }
    return .success(result)
  }

  private mutating func read(_ start: UInt64) -> Result<[UInt8], ExpressionFailure> {
    switch source.bytes(start, Int(page)) {
    case .success(let bytes): return .success(bytes)
    case .failure(let failure):
      let reason = failure.diagnostic
      if notes.count < Limits.listNotes, !notes.contains(where: { $0.text == reason.text }) { notes.append(reason) }
      return .failure(failure)
    }
  }

  // MARK: - Types

  private mutating func value(
    _ type: CType, _ address: UInt64, firstBit: Int, bitCount: Int?, depth: Int
  ) -> CValue {
    valuesLeft -= 1
    guard valuesLeft > 0 else { return .omitted }
    switch type.resolved {
    case .record(let record):
      guard depth < min(extent.depth, Limits.shownDepth) else { return .omitted }
      var members: [(name: String, value: CValue)] = []
      self.members(of: record, address &+ UInt64(bitPattern: Int64(firstBit / 8)), depth: depth, into: &members)
      return .record(members)
    case .array(let element, let count):
      return array(element, count, address &+ UInt64(bitPattern: Int64(firstBit / 8)), depth: depth)
    case .integer(let integer) where integer.size > 8 && bitCount == nil:
      guard integer.size == 16 else {
        return .unreadable(Diagnostic(.typeUnknown, type.text, "an integer of \(integer.size) bytes"))
      }
      switch bytes(address &+ UInt64(firstBit / 8), 16) {
      case .success(let bytes):
        let word = BitField(firstBit: 0, bitCount: nil, size: 8)
        return .wide(low: word.value(bytes[..<8], isSigned: false), high: word.value(bytes[8...], isSigned: false))
      case .failure(let failure): return .unreadable(failure.diagnostic)
      }
    case .integer, .floating, .pointer, .enumeration:
      guard let size = type.size, size > 0, size <= 8 else {
        return .unreadable(Diagnostic(.typeUnknown, type.text, "a size that no number has"))
      }
      let place = BitField(firstBit: firstBit, bitCount: bitCount, size: size)
      var isSigned = false
      if case .integer(let integer) = type.resolved { isSigned = integer.isSigned }
      if case .enumeration(let enumeration) = type.resolved { isSigned = enumeration.isSigned }
      switch bytes(address &+ UInt64(bitPattern: Int64(place.offset)), place.byteCount) {
      case .success(let bytes): return scalar(type, place.value(bytes[...], isSigned: isSigned))
      case .failure(let failure): return .unreadable(failure.diagnostic)
      }
    case .function: return .pointer(address, note(address, type))
    case .void, .typedef, .qualified, .unknown:
      return .unreadable(Diagnostic(.typeUnknown, type.text, "a type that is not known"))
    }
  }

  private mutating func members(
    of record: CRecord, _ address: UInt64, depth: Int, into members: inout [(name: String, value: CValue)]
  ) {
    for member in record.members where valuesLeft > 0 {
      let place = address &+ UInt64(bitPattern: Int64(member.firstBit / 8))
      if let name = member.name {
        members.append(
          (
            name,
            value(
              member.type, place, firstBit: member.firstBit % 8, bitCount: member.bitCount, depth: depth + 1)
          ))
      } else if let inner = member.type.record, depth < Limits.shownDepth {
        self.members(of: inner, place, depth: depth + 1, into: &members)
      }
    }
  }

  private mutating func array(_ element: CType, _ count: Int, _ address: UInt64, depth: Int) -> CValue {
    guard let size = element.size, size > 0 else { return .array([], count: count) }
    if element.isCharacter, count > 0, count <= 1 << 16, let text = text(address, count) {
      return .text(text)
    }
    guard depth < min(extent.depth, Limits.shownDepth) else { return .omitted }
    var elements: [CValue] = []
    for index in 0..<min(count, extent.elements) where valuesLeft > 0 {
      elements.append(
        value(element, address &+ UInt64(index) &* UInt64(size), firstBit: 0, bitCount: nil, depth: depth + 1))
    }
    return .array(elements, count: count)
  }

  /// The text up to a NUL or the end of `count` bytes; nil if it is not text.
  private mutating func text(_ address: UInt64, _ count: Int) -> String? {
    guard case .success(let bytes) = bytes(address, count) else { return nil }
    let text = bytes.prefix { $0 != 0 }
    return Self.isText(text) ? String(decoding: text, as: UTF8.self) : nil
  }
}

/// A source of pages from which values are read.
package struct PageSource {
  /// `count` bytes from `address`, which starts a page.
  let bytes: (_ address: UInt64, _ count: Int) -> Result<[UInt8], ExpressionFailure>

  /// Reads with `bytes`, which gets the start and the size of a page.
  package init(_ bytes: @escaping (_ address: UInt64, _ count: Int) -> Result<[UInt8], ExpressionFailure>) {
    self.bytes = bytes
  }
}

extension Evaluator {
  /// The memory of the kernel.
  fileprivate var pages: PageSource {
    PageSource { address, count in
      memory.bytes(at: address, count: count).map { .success($0) }
        ?? .failure(ExpressionFailure(unreadable(address, count)))
    }
  }

  /// The value of `type` at `address` of `source`, and notes on its unreadable parts.
  ///
  /// - Throws: `ExpressionFailure` if the type has no size.
  package func read(
    _ type: CType, at address: UInt64, of source: PageSource, _ extent: ValueExtent
  ) throws(ExpressionFailure) -> (value: CValue, notes: [Diagnostic]) {
    guard let size = type.size else {
      throw ExpressionFailure("nothing defines '\(type.text)', so that it has no value")
    }
    let (_, wraps) = address.addingReportingOverflow(UInt64(max(size, 1) - 1))
    guard !wraps else {
      throw ExpressionFailure("\(size) bytes from \(hex(address)) go beyond the end of the address space")
    }
    var reader = ValueReader(self, extent, source)
    let value = reader.value(type, at: address)
    return (value, reader.notes)
  }

  /// The value of `operand` to the depth and length of `extent`, and notes on its unreadable parts.
  ///
  /// - Throws: `ExpressionFailure` if its type is unknown, or none of it is readable.
  package func read(
    _ operand: Operand, _ extent: ValueExtent
  ) throws(ExpressionFailure) -> (type: CType, value: CValue, notes: [Diagnostic]) {
    let type = try typed(operand, 0..<0)
    if type.size == nil {
      if case .function = type.resolved {
      } else {
        throw ExpressionFailure("nothing defines '\(type.text)', so that it has no value")
      }
    }
    var reader = ValueReader(self, extent)
    let value = reader.value(operand, type)
    return (type, value, reader.notes)
  }
}
