import Bytes

/// The types as a graph.
extension BTFTypes: TypeGraph {
  /// The type of this number, in the graph that defines it and without type tags such as `__user`, so that a type has
  /// one number and one graph.
  private func type(_ number: Int) -> CType {
    var number = number
    for _ in 0..<Limits.typeDepth {
      guard let place = place(number), place.kind == BTFKind.typeTag else { break }
      number = place.sizeOrType
    }
    if number == 0 { return .void }
    if let base, number < firstNumber { return base.type(number) }
    return .described(self, number)
  }

  /// What the type of this number is.
  package func shape(_ number: Int) -> TypeShape {
    guard number != 0 else { return .void }
    guard let place = place(number) else { return .unknown }
    let target = place.sizeOrType
    let name = place.table.text(place.field(0))
    switch place.kind {
    case BTFKind.int:
      let encoding = place.field(12) >> 24 & 0xf
      return .integer(
        CInteger(name: name, size: place.sizeOrType, isSigned: encoding & 1 == 1, isBool: encoding & 4 == 4))
    case BTFKind.float: return .floating(name: name, size: place.sizeOrType)
    case BTFKind.pointer: return .pointer(type(target))
    case BTFKind.array: return .array(type(place.field(12)), count: place.field(20))
    case BTFKind.structure, BTFKind.union:
      return .record(
        CRecord(
          name: name, isUnion: place.kind == BTFKind.union, size: place.sizeOrType, graph: self, number: number))
    case BTFKind.forward:
      return .record(
        CRecord(name: name, isUnion: place.flag, size: 0, isComplete: false, graph: self, number: number))
    case BTFKind.enumeration, BTFKind.enumeration64:
      // Without enumerators it is a forward declaration.
      return .enumeration(
        CEnumeration(
          name: name, size: place.sizeOrType, isSigned: isSigned(place), isComplete: place.count > 0, graph: self,
          number: number))
    case BTFKind.typedef: return .typedef(name, type(target))
    case BTFKind.const: return .qualified("const", type(target))
    case BTFKind.volatile: return .qualified("volatile", type(target))
    case BTFKind.restrict: return .qualified("restrict", type(target))
    case BTFKind.typeTag, BTFKind.variable, BTFKind.function:
      return shapeBehind(number)
    case BTFKind.prototype: return .function(prototype(place))
    default: return .unknown
    }
  }

  /// The type that tags, variables and functions refer to.
  private func shapeBehind(_ number: Int) -> TypeShape {
    var number = number
    for _ in 0..<Limits.typeDepth {
      guard let place = place(number) else { return .unknown }
      switch place.kind {
      case BTFKind.typeTag, BTFKind.variable, BTFKind.function: number = place.sizeOrType
      default: return type(number).shape
      }
      if number == 0 { return .void }
    }
    return .unknown
  }

  private func prototype(_ place: Place) -> CFunction {
    var parameters: [(name: String, type: CType)] = []
    var isVariadic = false
    for index in 0..<min(place.count, Limits.parameters) {
      let type = place.field(16 + 8 * index)
      let name = place.table.text(place.field(12 + 8 * index))
      if type == 0, name.isEmpty, index == place.count - 1 {
        isVariadic = true
      } else {
        parameters.append((name, self.type(type)))
      }
    }
    return CFunction(result: type(place.sizeOrType), parameters: parameters, isVariadic: isVariadic)
  }

  /// Whether an enumeration has signed values: its flag says so since 6.0. Before, all were treated as signed; only
  /// values of 2^31 or more show the difference. (6089fb325cf7, "bpf: Add btf enum64 support")
  private func isSigned(_ place: Place) -> Bool {
    guard !place.flag else { return true }
    guard place.kind == BTFKind.enumeration, !flagsSignedEnumerations.value else { return false }
    return (0..<place.count).contains { place.field(16 + 8 * $0) >> 31 == 1 }
  }

  /// The members of the record of this number; empty for any other type.
  package func members(of number: Int) -> [CMember] {
    guard let place = place(number), place.kind == BTFKind.structure || place.kind == BTFKind.union else { return [] }
    return (0..<place.count).map { index in
      let at = 12 + 12 * index
      let name = place.table.text(place.field(at))
      let number = place.field(at + 4)
      let raw = place.field(at + 8)
      var first = place.flag ? raw & 0xff_ffff : raw
      var bits = place.flag && raw >> 24 > 0 ? raw >> 24 : nil
      // If the record does not say so, a bit field has an integer of its own kind: offset 23:16, bits 7:0.
      if !place.flag, let integer = resolved(number), integer.kind == BTFKind.int {
        let layout = integer.field(12)
        if layout & 0xff > 0, layout & 0xff < integer.sizeOrType * 8 {
          first += layout >> 16 & 0xff
          bits = layout & 0xff
        }
      }
      return CMember(name: name.isEmpty ? nil : name, type: type(number), firstBit: first, bitCount: bits)
    }
  }

  /// The enumerators of the enumeration of this number; empty for any other type.
  package func enumerators(of number: Int) -> [CEnumerator] {
    guard let place = place(number) else { return [] }
    let isWide = place.kind == BTFKind.enumeration64
    guard isWide || place.kind == BTFKind.enumeration else { return [] }
    let isSigned = isSigned(place)
    return (0..<place.count).map { index in
      let at = 12 + (isWide ? 12 : 8) * index
      let low = UInt32(truncatingIfNeeded: place.field(at + 4))
      let value =
        isWide
        ? Int64(bitPattern: UInt64(UInt32(truncatingIfNeeded: place.field(at + 8))) << 32 | UInt64(low))
        : isSigned ? Int64(Int32(bitPattern: low)) : Int64(low)
      return CEnumerator(name: place.table.text(place.field(at)), value: value)
    }
  }

  /// This graph's own types called `name`, only definitions.
  package func types(named name: TypeName) -> [CType] {
    guard !name.name.isEmpty else { return [] }
    let kinds: [BTFKind.Mask]
    switch name.space {
    case .structure?: kinds = [BTFKind.Mask(BTFKind.structure)]
    case .union?: kinds = [BTFKind.Mask(BTFKind.union)]
    case .enumeration?: kinds = [.enumerations]
    case .ordinary?: kinds = [.ordinary]
    case nil: kinds = [.record, .ordinary, .enumerations]
    }
    let found = numbers(named: name.name, of: kinds.dropFirst().reduce(kinds[0]) { $0.union($1) })
    for wanted in kinds {
      let some = found.filter { number in place(number).map { wanted.contains($0.kind) } ?? false }
      let whole = some.map { CType.described(self, $0) }.filter { type in
        if case .enumeration(let enumeration) = type.shape { enumeration.isComplete } else { true }
      }
      if !whole.isEmpty { return whole }
    }
    return []
  }

  /// Calls `body` with each own type that has a name.
  package func forEachType(_ body: (TypeName, CType) -> Bool) {
    for (index, start) in typeOffsets.enumerated() {
      let place = Place(table: self, at: Int(start))
      let space: TypeName.Space
      switch place.kind {
      case BTFKind.structure: space = .structure
      case BTFKind.union: space = .union
      case BTFKind.enumeration, BTFKind.enumeration64: space = .enumeration
      case BTFKind.typedef, BTFKind.int, BTFKind.float: space = .ordinary
      default: continue
      }
      let name = text(place.field(0))
      guard !name.isEmpty else { continue }
      guard body(TypeName(space, name), .described(self, firstNumber + index)) else { return }
    }
  }

  /// This graph's own records, enumerations and typedefs in order, including anonymous ones.
  package var ownTypes: [CType] {
    let kinds = BTFKind.Mask.record.union(.enumerations).union(BTFKind.Mask(BTFKind.typedef))
    return typeOffsets.enumerated().compactMap { index, start in
      kinds.contains(half(Int(start) + 4) >> 24 & 0x7f) ? .described(self, firstNumber + index) : nil
    }
  }

  /// The type of the variable `name`.
  package func variable(named name: String) -> CType? {
    numbers(named: name, of: .variables).first.flatMap { place($0) }.map { type($0.sizeOrType) }
  }

  /// The type of the function `name`.
  package func function(named name: String) -> CType? {
    numbers(named: name, of: BTFKind.Mask(BTFKind.function)).first.flatMap { place($0) }.map { type($0.sizeOrType) }
  }

  /// The value of the enumerator `name` of an own enumeration, and the type of that.
  package func enumerator(named name: String) -> (type: CType, value: Int64)? {
    let wanted = NameBytes(name)
    for (index, start) in typeOffsets.enumerated() {
      let place = Place(table: self, at: Int(start))
      guard BTFKind.Mask.enumerations.contains(place.kind) else { continue }
      let stride = place.kind == BTFKind.enumeration64 ? 12 : 8
      for item in 0..<place.count where isName(place.field(12 + stride * item), wanted) {
        let number = firstNumber + index
        return (.described(self, number), enumerators(of: number)[item].value)
      }
    }
    return nil
  }
}
