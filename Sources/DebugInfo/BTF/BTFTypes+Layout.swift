/// Sizes and members by name.
extension BTFTypes: TypeLayout {
  /// Itself.
  package var graph: (any TypeGraph)? { self }

  private func size(_ number: Int, depth: Int = 0) -> Int? {
    guard depth < Limits.typeDepth, let place = resolved(number) else { return nil }
    switch place.kind {
    case BTFKind.pointer: return 8
    case BTFKind.array:
      guard let element = size(place.field(12), depth: depth + 1) else { return nil }
      let (size, overflow) = element.multipliedReportingOverflow(by: place.field(20))
      return overflow || size > Int(Limits.typeBytes) ? nil : size
    case BTFKind.int, BTFKind.structure, BTFKind.union, BTFKind.enumeration, BTFKind.enumeration64, BTFKind.float:
      return place.sizeOrType
    default: return nil
    }
  }

  /// A member found.
  private struct Found {
    var type: Int
    var firstBit: Int
    /// Its width in bits; nil if it is not a bit field.
    var bitCount: Int?
  }

  /// The member `name` of `structure`, also inside anonymous members.
  private func member(_ name: [UInt8], _ structure: Place, _ left: inout Int, depth: Int = 0) -> Found? {
    guard depth < Limits.typeDepth, structure.kind == BTFKind.structure || structure.kind == BTFKind.union else {
      return nil
    }
    for number in 0..<structure.count {
      left -= 1
      guard left > 0 else { return nil }
      let nameAt = structure.field(12 + 12 * number)
      let type = structure.field(16 + 12 * number)
      let raw = structure.field(20 + 12 * number)
      let first = structure.flag ? raw & 0xffffff : raw
      if structure.table.isName(nameAt, name) {
        if structure.flag, raw >> 24 > 0 { return Found(type: type, firstBit: first, bitCount: raw >> 24) }
        return Found(type: type, firstBit: first)
      }
      if structure.table.isName(nameAt, []), let inner = resolved(type),
        let found = member(name, inner, &left, depth: depth + 1)
      {
        return Found(type: found.type, firstBit: first + found.firstBit, bitCount: found.bitCount)
      }
    }
    return nil
  }

  /// `sizeof` of a type.
  package func size(of type: String) -> Int? { number(of: type).flatMap { size($0) } }

  /// A member by its path.
  package func member(_ path: String, of type: String) -> TypeMember? {
    guard let start = number(of: type) else { return nil }
    var found = Found(type: start, firstBit: 0)
    var left = Limits.entriesPerMember
    for part in path.split(separator: ".", omittingEmptySubsequences: false) {
      guard !part.isEmpty, let structure = resolved(found.type),
        let next = member(Array(part.utf8), structure, &left)
      else { return nil }
      found = Found(type: next.type, firstBit: found.firstBit + next.firstBit, bitCount: next.bitCount)
    }
    guard let size = size(found.type), found.firstBit < Int(Limits.typeBytes) * 8 else { return nil }
    // If the structure does not say so, a bit field has an integer of its own kind: offset 23:16, bits 7:0.
    if found.bitCount == nil, let place = resolved(found.type), place.kind == BTFKind.int {
      let bits = place.field(12)
      if bits & 0xff > 0, bits & 0xff < size * 8 {
        found.firstBit += bits >> 16 & 0xff
        found.bitCount = bits & 0xff
      }
    }
    return TypeMember(firstBit: found.firstBit, bitCount: found.bitCount, unit: size)
  }

  /// The per-CPU variables: their names, and their offsets from `__per_cpu_start`.
  package var perCPUVariables: [(name: String, offset: Int, size: Int)] {
    for start in typeOffsets {
      let section = Place(table: self, at: Int(start))
      guard section.kind == BTFKind.section, text(section.field(0)) == ".data..percpu" else { continue }
      return (0..<section.count).compactMap { entry in
        guard let variable = place(section.field(12 + 12 * entry)) else { return nil }
        return (text(variable.field(0)), section.field(16 + 12 * entry), section.field(20 + 12 * entry))
      }
    }
    return []
  }
}
