import Bytes
import CDw

/// The types as a graph: their numbers are the offsets of their entries in `.debug_info`.
extension DWARFTypes: TypeGraph {
  /// Itself.
  package var graph: (any TypeGraph)? { self }
  /// Only the types of the kernel itself.
  package var module: String? { nil }

  /// The shape of the type at `number`; for a structure only declared there, that of its definition elsewhere.
  package func shape(_ number: Int) -> TypeShape {
    ask { reader in
      guard let shape = reader.shape(number, self) else { return nil }
      guard case .record(let record) = shape, !record.isComplete, !record.name.isEmpty,
        let definition = reader.definition(of: record.name, [.tag]), definition != UInt64(number)
      else { return shape }
      return reader.shape(Int(definition), self)
    } ?? .unknown
  }

  /// The members of the record at `number`.
  package func members(of number: Int) -> [CMember] { ask { $0.members(number, self) } ?? [] }

  /// The enumerators of the enumeration at `number`.
  package func enumerators(of number: Int) -> [CEnumerator] { ask { $0.enumerators(number) } ?? [] }

  /// The first definition of `name`.
  package func types(named name: TypeName) -> [CType] {
    let kinds: [DWARFAbbreviations.Definition] =
      switch name.space {
      case .structure?, .union?: [.tag]
      case .enumeration?, .ordinary?: [.type]
      case nil: [.tag, .type]
      }
    guard let offset = ask({ $0.definition(of: name.name, kinds) }) else { return [] }
    let type = CType.described(self, Int(offset))
    let fits =
      switch (name.space, type.shape) {
      case (.structure?, .record(let record)): !record.isUnion
      case (.union?, .record(let record)): record.isUnion
      case (.enumeration?, .enumeration): true
      case (.ordinary?, .enumeration): false
      case (.ordinary?, _), (nil, _): true
      default: false
      }
    return fits ? [type] : []
  }

  /// Calls `body` with each named type, the first definition of each name, until it returns false. Scans the whole
  /// file.
  package func forEachType(_ body: (TypeName, CType) -> Bool) {
    for type in ask({ reader in reader.namedTypes() }) ?? [] {
      guard body(type.name, .described(self, type.offset)) else { return }
    }
  }

  /// The type of the variable `name`.
  package func variable(named name: String) -> CType? {
    ask { reader in
      reader.definition(of: name, [.variable]).flatMap { reader.typeOfEntry($0, self) }
    }
  }

  /// The type of the function `name`.
  package func function(named name: String) -> CType? {
    ask { reader in reader.definition(of: name, [.function]).map { .described(self, Int(clamping: $0)) } }
  }

  /// The value of the enumerator `name`, and the type of its enumeration.
  package func enumerator(named name: String) -> (type: CType, value: Int64)? {
    guard let offset = ask({ $0.definition(of: name, [.enumerator]) }).map({ Int(clamping: $0) }),
      let found = enumerators(of: offset).first(where: { $0.name == name })
    else { return nil }
    return (.described(self, offset), found.value)
  }
}

extension DWARFReader {
  /// The shape of the entry at `number`.
  func shape(_ number: Int, _ graph: DWARFTypes) -> TypeShape? {
    guard let entry = session.entry(at: UInt64(number)) else { return nil }
    let target = entry.referenced(graph)
    let name = entry.text
    let size = Int(clamping: entry.constant(DW_AT_byte_size) ?? 0)
    guard size <= Int(Limits.typeBytes) else { return nil }
    switch entry.tag {
    case DW_TAG_base_type:
      switch entry.constant(DW_AT_encoding) {
      case UInt64(DW_ATE_float)?: return .floating(name: name, size: size)
      case let encoding:
        let isSigned = encoding == UInt64(DW_ATE_signed) || encoding == UInt64(DW_ATE_signed_char)
        return .integer(
          CInteger(name: name, size: size, isSigned: isSigned, isBool: encoding == UInt64(DW_ATE_boolean)))
      }
    case DW_TAG_pointer_type: return .pointer(target)
    case DW_TAG_typedef: return .typedef(name, target)
    case DW_TAG_const_type: return .qualified("const", target)
    case DW_TAG_volatile_type: return .qualified("volatile", target)
    case DW_TAG_restrict_type: return .qualified("restrict", target)
    case DW_TAG_atomic_type: return .qualified("_Atomic", target)
    case DW_TAG_structure_type, DW_TAG_class_type, DW_TAG_union_type:
      return .record(
        CRecord(
          name: name, isUnion: entry.tag == DW_TAG_union_type, size: size, isComplete: !entry.has(DW_AT_declaration),
          graph: graph, number: number))
    case DW_TAG_enumeration_type:
      return .enumeration(
        CEnumeration(
          name: name, size: size, isSigned: isSigned(entry), isComplete: !entry.has(DW_AT_declaration), graph: graph,
          number: number))
    case DW_TAG_array_type: return array(entry, target)
    case DW_TAG_subroutine_type, DW_TAG_subprogram: return .function(function(entry, target, graph))
    default: return nil
    }
  }

  /// An array, each dimension an array of the next.
  private func array(_ entry: DWARFEntry, _ element: CType) -> TypeShape {
    var counts: [Int] = []
    var work = Limits.parameters
    var children = DWARFChildren(of: entry)
    while let child = children.next(&work) {
      guard child.tag == DW_TAG_subrange_type else { continue }
      // The upper bound is -1 for an array without elements.
      let count = child.constant(DW_AT_count) ?? child.constant(DW_AT_upper_bound).map { $0 &+ 1 } ?? 0
      counts.append(count <= Limits.typeBytes ? Int(count) : 0)
    }
    var type = element
    for count in counts.dropFirst().reversed() { type = .array(type, count: count) }
    return .array(type, count: counts.first ?? 0)
  }

  private func function(_ entry: DWARFEntry, _ result: CType, _ graph: DWARFTypes) -> CFunction {
    var parameters: [(name: String, type: CType)] = []
    var isVariadic = false
    var work = Limits.parameters
    var children = DWARFChildren(of: entry)
    while let child = children.next(&work) {
      if child.tag == DW_TAG_formal_parameter { parameters.append((child.text, child.referenced(graph))) }
      if child.tag == DW_TAG_unspecified_parameters { isVariadic = true }
    }
    return CFunction(result: result, parameters: parameters, isVariadic: isVariadic)
  }

  /// From the underlying type, or else from the values.
  private func isSigned(_ entry: DWARFEntry) -> Bool {
    if let below = entry.type {
      let encoding = below.constant(DW_AT_encoding)
      return encoding == UInt64(DW_ATE_signed) || encoding == UInt64(DW_ATE_signed_char)
    }
    var work = Limits.entriesPerMember
    var children = DWARFChildren(of: entry)
    while let child = children.next(&work) {
      if let value = child.signedConstant(DW_AT_const_value), value < 0 { return true }
    }
    return false
  }

  /// The names of all named types, and their offsets.
  mutating func namedTypes() -> [(name: TypeName, offset: Int)] {
    allTypes().compactMap { offset in
      guard let entry = session.entry(at: offset) else { return nil }
      let space: TypeName.Space
      switch entry.tag {
      case DW_TAG_structure_type, DW_TAG_class_type: space = .structure
      case DW_TAG_union_type: space = .union
      case DW_TAG_enumeration_type: space = .enumeration
      case DW_TAG_typedef, DW_TAG_base_type: space = .ordinary
      default: return nil
      }
      return (TypeName(space, entry.text), Int(clamping: offset))
    }
  }

  /// The members of the record at `number`, in their order.
  func members(_ number: Int, _ graph: DWARFTypes) -> [CMember]? {
    guard let entry = session.entry(at: UInt64(number)) else { return nil }
    var members: [CMember] = []
    var work = Limits.entriesPerMember
    var children = DWARFChildren(of: entry)
    while let child = children.next(&work) {
      guard child.tag == DW_TAG_member, let place = child.place(&work) else { continue }
      let name = child.text
      members.append(
        CMember(
          name: name.isEmpty ? nil : name, type: child.referenced(graph), firstBit: Int(place.firstBit),
          bitCount: place.bitCount.map { Int($0) }))
    }
    return members
  }

  /// The enumerators of the enumeration at `number`, in order.
  func enumerators(_ number: Int) -> [CEnumerator]? {
    guard let entry = session.entry(at: UInt64(number)) else { return nil }
    let isSigned = isSigned(entry)
    var result: [CEnumerator] = []
    var work = Limits.entriesPerMember
    var children = DWARFChildren(of: entry)
    while let child = children.next(&work) {
      guard child.tag == DW_TAG_enumerator else { continue }
      let value =
        isSigned
        ? child.signedConstant(DW_AT_const_value) : child.constant(DW_AT_const_value).map { Int64(bitPattern: $0) }
      result.append(CEnumerator(name: child.text, value: value ?? 0))
    }
    return result
  }

  /// The type of the variable whose entry is at `offset`.
  func typeOfEntry(_ offset: UInt64, _ graph: DWARFTypes) -> CType? {
    guard let entry = session.entry(at: offset), entry.has(DW_AT_type) else { return nil }
    return entry.referenced(graph)
  }
}

extension DWARFEntry {
  /// Its own name; empty if it has none.
  fileprivate var text: String {
    guard let name else { return "" }
    var bytes: [UInt8] = []
    for index in 0..<min(name.byteCount, Limits.symbolName) { bytes.append(name.integer(UInt8.self, at: index) ?? 0) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Its type as the graph knows it; `void` if it has none.
  fileprivate func referenced(_ graph: DWARFTypes) -> CType {
    guard let type else { return .void }
    return .described(graph, Int(clamping: type.offset))
  }
}
