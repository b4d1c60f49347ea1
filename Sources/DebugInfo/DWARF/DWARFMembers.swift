import Bytes
import CDw

/// Members and sizes of types.
extension DWARFReader {
  /// `sizeof` of the type `name`.
  mutating func size(of name: String) -> Int? {
    guard let offset = definition(of: name), let type = session.entry(at: offset) else { return nil }
    var work = Limits.entriesPerMember
    return type.byteSize(&work)
  }

  /// The member at `path` of the type `name`.
  mutating func member(_ path: String, of name: String) -> TypeMember? {
    guard let offset = definition(of: name), var type = session.entry(at: offset) else { return nil }
    var work = Limits.entriesPerMember
    var firstBit: UInt64 = 0
    var bitCount: UInt64?
    for part in path.split(separator: ".", omittingEmptySubsequences: false) {
      guard !part.isEmpty, let aggregate = type.peeled,
        let member = aggregate.member(Array(part.utf8), depth: 0, &work)
      else { return nil }
      firstBit += member.firstBit
      bitCount = member.bitCount
      type = member.type
    }
    guard let size = type.byteSize(&work) else { return nil }
    return TypeMember(firstBit: Int(firstBit), bitCount: bitCount.map { Int($0) }, unit: size)
  }
}

/// A member, and its place in the record that was searched.
private struct Member: ~Escapable {
  var type: DWARFEntry
  var firstBit: UInt64
  var bitCount: UInt64?

  @_lifetime(copy type)
  init(_ type: DWARFEntry, firstBit: UInt64, bitCount: UInt64? = nil) {
    self.type = type
    self.firstBit = firstBit
    self.bitCount = bitCount
  }
}

extension DWARFEntry {
  private var isAggregate: Bool {
    tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_class_type
  }

  /// The type without typedefs and qualifiers; nil if there is none (`void`), or they form a cycle.
  fileprivate var peeled: DWARFEntry? {
    @_lifetime(copy self)
    get {
      var type = self
      for _ in 0..<Limits.typeDepth {
        switch type.tag {
        case DW_TAG_typedef, DW_TAG_const_type, DW_TAG_volatile_type, DW_TAG_restrict_type, DW_TAG_atomic_type:
          guard let next = type.type else { return nil }
          type = next
        default: return type
        }
      }
      return nil
    }
  }

  /// The member `name` of a structure or union, or of the anonymous ones in it.
  @_lifetime(copy self)
  fileprivate func member(_ name: [UInt8], depth: Int, _ work: inout Int) -> Member? {
    guard depth < Limits.typeDepth, isAggregate else { return nil }
    var children = DWARFChildren(of: self)
    while let entry = children.next(&work) {
      guard entry.tag == DW_TAG_member else { continue }
      if let own = entry.name {
        if own.isEqual(name) { return entry.member(&work) }
      } else if let inner = entry.type?.peeled, let found = inner.member(name, depth: depth + 1, &work),
        let outer = entry.member(&work)
      {
        return Member(found.type, firstBit: outer.firstBit + found.firstBit, bitCount: found.bitCount)
      }
    }
    return nil
  }

  /// This entry as a member, with its place in its structure.
  @_lifetime(copy self)
  private func member(_ work: inout Int) -> Member? {
    guard let type, let place = place(&work) else { return nil }
    return Member(type, firstBit: place.firstBit, bitCount: place.bitCount)
  }

  /// The place of this entry, a member, in its structure.
  func place(_ work: inout Int) -> (firstBit: UInt64, bitCount: UInt64?)? {
    guard let type else { return nil }
    var bytes: UInt64 = 0
    // Members of a union have no location: their offset is 0.
    if has(DW_AT_data_member_location) {
      guard let location = memberLocation, location <= Limits.typeBytes else { return nil }
      bytes = location
    }
    guard let count = constant(DW_AT_bit_size) else { return (bytes * 8, nil) }
    guard count <= 128 else { return nil }
    if let first = constant(DW_AT_data_bit_offset) {
      guard first <= Limits.typeBytes * 8 else { return nil }
      return (bytes * 8 + first, count)
    }
    guard let fromTop = signedConstant(DW_AT_bit_offset) else {
      return (bytes * 8, count)
    }
    // DWARF 2 and 3 count from the most significant bit of the storage unit, on every machine.
    guard let unit = constant(DW_AT_byte_size) ?? type.byteSize(&work).map({ UInt64($0) }), unit <= Limits.typeBytes,
      (-128...128).contains(fromTop)
    else { return nil }
    let first = Int64(bytes * 8 + unit * 8) - fromTop - Int64(count)
    return first >= 0 ? (UInt64(first), count) : nil
  }

  /// `sizeof` of a type; 0 for an array without a length.
  fileprivate func byteSize(_ work: inout Int) -> Int? {
    var type = self
    var elements: UInt64 = 1
    for _ in 0..<Limits.typeDepth {
      guard let plain = type.peeled else { return nil }
      var size = plain.constant(DW_AT_byte_size)
      if size == nil, plain.tag == DW_TAG_pointer_type { size = 8 }
      let isArray = size == nil && plain.tag == DW_TAG_array_type
      guard let factor = isArray ? plain.elementCount(&work) : size else { return nil }
      let (product, overflow) = elements.multipliedReportingOverflow(by: factor)
      guard !overflow, product <= Limits.typeBytes else { return nil }
      if !isArray { return Int(product) }
      guard let element = plain.type else { return nil }
      type = element
      elements = product
    }
    return nil
  }

  /// The number of elements of an array, over all its dimensions; 0 if it does not say.
  private func elementCount(_ work: inout Int) -> UInt64? {
    var result: UInt64 = 1
    var isEmpty = true
    var children = DWARFChildren(of: self)
    while let entry = children.next(&work) {
      isEmpty = false
      guard entry.tag == DW_TAG_subrange_type else { continue }
      // The upper bound is -1 for an array without elements.
      let count = entry.constant(DW_AT_count) ?? entry.constant(DW_AT_upper_bound).map { $0 &+ 1 } ?? 0
      let (product, overflow) = result.multipliedReportingOverflow(by: count)
      guard !overflow, product <= Limits.typeBytes else { return nil }
      result = product
    }
    return children.isCut ? nil : isEmpty ? 0 : result
  }
}

extension RawSpan {
  /// Whether the bytes are exactly `text`.
  func isEqual(_ text: [UInt8]) -> Bool {
    guard byteCount == text.count else { return false }
    for index in text.indices where integer(UInt8.self, at: index) != text[index] { return false }
    return true
  }
}
