import Bytes
import CDw

/// Members and sizes of types.
extension DWARFReader {
  /// `sizeof` of the type `name`.
  mutating func size(of name: String) -> Int? {
    guard var type = unsafe entry(named: name) else { return nil }
    var work = Limits.entriesPerMember
    return unsafe byteSize(&type, &work)
  }

  /// The member at `path` of the type `name`.
  mutating func member(_ path: String, of name: String) -> TypeMember? {
    guard var type = unsafe entry(named: name) else { return nil }
    var work = Limits.entriesPerMember
    var firstBit: UInt64 = 0
    var bitCount: UInt64?
    for part in path.split(separator: ".", omittingEmptySubsequences: false) {
      guard !part.isEmpty, unsafe peel(&type),
        let step = unsafe member(Array(part.utf8) + [0], in: type, depth: 0, &work)
      else { return nil }
      firstBit += step.firstBit
      bitCount = step.bitCount
      unsafe type = step.type
    }
    guard let size = unsafe byteSize(&type, &work) else { return nil }
    return TypeMember(firstBit: Int(firstBit), bitCount: bitCount.map { Int($0) }, unit: size)
  }

  /// A member, and where it lies in what was searched.
  @safe
  private struct Step {
    var type: Dwarf_Die
    var firstBit: UInt64
    var bitCount: UInt64?
  }

  /// The member `name` of a structure or union, or of the anonymous ones in it.
  private func member(
    _ name: [UInt8], in aggregate: Dwarf_Die, depth: Int, _ work: inout Int
  ) -> Step? {
    var aggregate = unsafe aggregate
    guard depth < Limits.typeDepth, unsafe isAggregate(&aggregate) else { return nil }
    var entry = unsafe Dwarf_Die()
    guard unsafe dwarf_child(&aggregate, &entry) == 0 else { return nil }
    var last: UInt64 = 0
    repeat {
      work -= 1
      let offset = unsafe dwarf_dieoffset(&entry)
      guard offset > last, work > 0 else { return nil }
      last = offset
      guard unsafe Int(dwarf_tag(&entry)) == DW_TAG_member else { continue }
      if let own = unsafe dw_own_name(&entry), unsafe own.pointee != 0 {
        if unsafe Self.isSame(own, name) { return unsafe step(entry, &work) }
      } else {
        var inner = unsafe entry
        guard unsafe dw_follow_type(&inner), unsafe peel(&inner),
          let found = unsafe member(name, in: inner, depth: depth + 1, &work),
          let outer = unsafe step(entry, &work)
        else { continue }
        return unsafe Step(
          type: found.type, firstBit: outer.firstBit + found.firstBit, bitCount: found.bitCount)
      }
    } while unsafe dw_next_sibling(&entry) == 0
    return nil
  }

  /// Where the member `entry` lies in its structure.
  private func step(_ entry: Dwarf_Die, _ work: inout Int) -> Step? {
    var entry = unsafe entry
    var type = unsafe entry
    guard unsafe dw_follow_type(&type) else { return nil }
    var bytes: UInt64 = 0
    // Members of a union have no location: they begin where it does.
    if unsafe dwarf_hasattr(&entry, UInt32(DW_AT_data_member_location)) != 0 {
      guard unsafe dw_member_location(&entry, &bytes), bytes <= Limits.typeBytes else { return nil }
    }
    var count: UInt64 = 0
    guard unsafe dw_constant(&entry, UInt32(DW_AT_bit_size), &count) else {
      return unsafe Step(type: type, firstBit: bytes * 8)
    }
    var first: UInt64 = 0
    var fromTop: Int64 = 0
    guard count <= 128 else { return nil }
    if unsafe dw_constant(&entry, UInt32(DW_AT_data_bit_offset), &first) {
      guard first <= Limits.typeBytes * 8 else { return nil }
      first += bytes * 8
    } else if unsafe dw_signed_constant(&entry, UInt32(DW_AT_bit_offset), &fromTop) {
      // DWARF 2 and 3 count from the most significant bit of the storage unit, on every machine.
      var unit: UInt64 = 0
      if unsafe !dw_constant(&entry, UInt32(DW_AT_byte_size), &unit) {
        var same = unsafe type
        guard let size = unsafe byteSize(&same, &work) else { return nil }
        unit = UInt64(size)
      }
      guard unit <= Limits.typeBytes, (-128...128).contains(fromTop) else { return nil }
      let start = Int64(bytes * 8 + unit * 8) - fromTop - Int64(count)
      guard start >= 0 else { return nil }
      first = UInt64(start)
    } else {
      first = bytes * 8
    }
    return unsafe Step(type: type, firstBit: first, bitCount: count)
  }

  private func isAggregate(_ entry: inout Dwarf_Die) -> Bool {
    let tag = unsafe Int(dwarf_tag(&entry))
    return tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_class_type
  }

  /// Goes from names and qualifiers to the type that they stand for; false where there is none (`void`), or
  /// they lead in a circle.
  private func peel(_ type: inout Dwarf_Die) -> Bool {
    for _ in 0..<Limits.typeDepth {
      switch unsafe Int(dwarf_tag(&type)) {
      case DW_TAG_typedef, DW_TAG_const_type, DW_TAG_volatile_type, DW_TAG_restrict_type, DW_TAG_atomic_type:
        guard unsafe dw_follow_type(&type) else { return false }
      default: return true
      }
    }
    return false
  }

  /// `sizeof` of a type; 0 of an array without a length.
  private func byteSize(_ type: inout Dwarf_Die, _ work: inout Int) -> Int? {
    var elements: UInt64 = 1
    for _ in 0..<Limits.typeDepth {
      guard unsafe peel(&type) else { return nil }
      var size: UInt64 = 0
      let tag = unsafe Int(dwarf_tag(&type))
      if unsafe !dw_constant(&type, UInt32(DW_AT_byte_size), &size) {
        switch tag {
        case DW_TAG_array_type:
          guard let length = unsafe length(&type, &work) else { return nil }
          let (product, overflow) = elements.multipliedReportingOverflow(by: length)
          guard !overflow, product <= Limits.typeBytes, unsafe dw_follow_type(&type) else { return nil }
          elements = product
          continue
        case DW_TAG_pointer_type: size = 8
        default: return nil
        }
      }
      let (product, overflow) = elements.multipliedReportingOverflow(by: size)
      return overflow || product > Limits.typeBytes ? nil : Int(product)
    }
    return nil
  }

  /// The number of elements of an array, over all its dimensions.
  private func length(_ array: inout Dwarf_Die, _ work: inout Int) -> UInt64? {
    var entry = unsafe Dwarf_Die()
    guard unsafe dwarf_child(&array, &entry) == 0 else { return 0 }
    var result: UInt64 = 1
    var last: UInt64 = 0
    repeat {
      work -= 1
      let offset = unsafe dwarf_dieoffset(&entry)
      guard offset > last, work > 0 else { return nil }
      last = offset
      guard unsafe Int(dwarf_tag(&entry)) == DW_TAG_subrange_type else { continue }
      var count: UInt64 = 0
      if unsafe !dw_constant(&entry, UInt32(DW_AT_count), &count),
        unsafe dw_constant(&entry, UInt32(DW_AT_upper_bound), &count)
      {
        // The last index: -1 for an array of no elements.
        count &+= 1
      }
      let (product, overflow) = result.multipliedReportingOverflow(by: count)
      guard !overflow, product <= Limits.typeBytes else { return nil }
      result = product
    } while unsafe dw_next_sibling(&entry) == 0
    return result
  }
}
