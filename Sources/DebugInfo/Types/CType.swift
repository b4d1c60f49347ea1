/// A C type: one that debugging information describes, or one that an expression derives from those.
package indirect enum CType: Sendable {
  /// Type `number` of `graph`.
  case described(any TypeGraph, Int)
  /// `void`.
  case void
  /// An integer that no debugging information describes, such as that of a literal.
  case integer(CInteger)
  /// A pointer to a type.
  case pointer(CType)
  /// An array of `count` elements.
  case array(CType, count: Int)

  /// Its shape; references to other types are not followed.
  package var shape: TypeShape {
    switch self {
    case .described(let graph, let number): graph.shape(number)
    case .void: .void
    case .integer(let integer): .integer(integer)
    case .pointer(let target): .pointer(target)
    case .array(let element, let count): .array(element, count: count)
    }
  }

  /// Its shape without typedefs and qualifiers; `unknown` if these form a cycle.
  package var resolved: TypeShape {
    var type = self
    for _ in 0..<Limits.typeDepth {
      switch type.shape {
      case .typedef(_, let target), .qualified(_, let target): type = target
      case let shape: return shape
      }
    }
    return .unknown
  }

  /// `sizeof`, in bytes; nil for `void`, functions and types of which only the name is known.
  package var size: Int? { size(depth: 0) }

  private func size(depth: Int) -> Int? {
    guard depth < Limits.typeDepth else { return nil }
    switch resolved {
    case .integer(let integer): return integer.size
    case .floating(_, let size): return size
    case .pointer: return 8
    case .record(let record): return record.isComplete ? record.size : nil
    case .enumeration(let enumeration): return enumeration.isComplete ? enumeration.size : nil
    case .array(let element, let count):
      guard let size = element.size(depth: depth + 1) else { return nil }
      let (bytes, overflow) = size.multipliedReportingOverflow(by: count)
      return overflow || bytes > Int(Limits.typeBytes) ? nil : bytes
    case .void, .function, .typedef, .qualified, .unknown: return nil
    }
  }

  /// Its identity among described types; nil for any other.
  var key: TypeKey? { if case .described(let graph, let number) = self { TypeKey(graph, number) } else { nil } }

  /// The record, without typedefs and qualifiers; nil if it is not one.
  package var record: CRecord? { if case .record(let record) = resolved { record } else { nil } }
}

/// The identity of a described type.
struct TypeKey: Hashable {
  private let graph: ObjectIdentifier
  private let number: Int

  init(_ graph: any TypeGraph, _ number: Int) {
    self.graph = ObjectIdentifier(graph)
    self.number = number
  }
}

/// The shape of a type.
package enum TypeShape: Sendable {
  case void
  case integer(CInteger)
  case floating(name: String, size: Int)
  case pointer(CType)
  /// No elements: a flexible array, or one of length 0.
  case array(CType, count: Int)
  case record(CRecord)
  case enumeration(CEnumeration)
  case typedef(String, CType)
  /// `const`, `volatile`, `restrict` or `_Atomic` and what it qualifies.
  case qualified(String, CType)
  case function(CFunction)
  /// Damaged, or of an unknown kind.
  case unknown
}

/// An integer type.
package struct CInteger: Sendable {
  /// Its name, as in "unsigned int".
  package let name: String
  /// Bytes.
  package let size: Int
  package let isSigned: Bool
  /// `_Bool`.
  package let isBool: Bool

  package init(name: String, size: Int, isSigned: Bool, isBool: Bool = false) {
    self.name = name
    self.size = size
    self.isSigned = isSigned
    self.isBool = isBool
  }

  /// Whether it is `char`.
  package var isCharacter: Bool { size == 1 && name == "char" }
}

extension CType {
  /// Whether a pointer to it may point to text: `char`, or `unsigned char` by its own name, as that of a dentry does. A
  /// typedef of the latter, `u8`, is a number.
  package var mayPointToText: Bool {
    var type = self
    for _ in 0..<Limits.typeDepth {
      switch type.shape {
      case .qualified(_, let target): type = target
      case .integer(let integer): return integer.isCharacter || integer.size == 1 && integer.name == "unsigned char"
      default: return type.isCharacter
      }
    }
    return false
  }

  /// Whether it is `char`, also through typedefs.
  package var isCharacter: Bool {
    if case .integer(let integer) = resolved { integer.isCharacter } else { false }
  }
}

/// A structure or union.
package struct CRecord: Sendable {
  /// Its tag; empty if it is anonymous.
  package let name: String
  package let isUnion: Bool
  /// Bytes; 0 if it is only declared.
  package let size: Int
  /// Whether it is defined, not only declared.
  package let isComplete: Bool
  /// The graph that has its members.
  package let graph: any TypeGraph
  /// Its number there.
  package let number: Int

  package init(
    name: String, isUnion: Bool, size: Int, isComplete: Bool = true, graph: any TypeGraph, number: Int
  ) {
    self.name = name
    self.isUnion = isUnion
    self.size = size
    self.isComplete = isComplete
    self.graph = graph
    self.number = number
  }

  /// Its identity among described types.
  var key: TypeKey { TypeKey(graph, number) }
  /// `struct` or `union`.
  package var keyword: String { isUnion ? "union" : "struct" }
  /// Its members in order.
  package var members: [CMember] { graph.members(of: number) }
}

/// A member of a structure or union.
package struct CMember: Sendable {
  /// Its name; nil if it is anonymous: its members then belong to the record around it.
  package let name: String?
  package let type: CType
  /// Where it begins: bits from the start of the record, the least significant bit of a byte first.
  package let firstBit: Int
  /// The width of a bit field; nil for any other member.
  package let bitCount: Int?

  package init(name: String?, type: CType, firstBit: Int, bitCount: Int? = nil) {
    self.name = name
    self.type = type
    self.firstBit = firstBit
    self.bitCount = bitCount
  }
}

/// An enumeration.
package struct CEnumeration: Sendable {
  /// Its tag; empty if it is anonymous.
  package let name: String
  /// Bytes.
  package let size: Int
  package let isSigned: Bool
  /// Whether it is defined, not only declared.
  package let isComplete: Bool
  /// The graph that has its enumerators.
  package let graph: any TypeGraph
  /// Its number there.
  package let number: Int

  package init(
    name: String, size: Int, isSigned: Bool, isComplete: Bool = true, graph: any TypeGraph, number: Int
  ) {
    self.name = name
    self.size = size
    self.isSigned = isSigned
    self.isComplete = isComplete
    self.graph = graph
    self.number = number
  }

  /// Its identity among described types.
  var key: TypeKey { TypeKey(graph, number) }
  /// Its enumerators in order.
  package var enumerators: [CEnumerator] { graph.enumerators(of: number) }
}

/// A constant of an enumeration.
package struct CEnumerator: Sendable {
  package let name: String
  /// Its value; for an unsigned one above `Int64.max`, its bits.
  package let value: Int64

  package init(name: String, value: Int64) {
    self.name = name
    self.value = value
  }
}

/// A function type.
package struct CFunction: Sendable {
  /// Its return type.
  package let result: CType
  /// Its parameters; those of a prototype need no names.
  package let parameters: [(name: String, type: CType)]
  /// Whether it ends with `...`.
  package let isVariadic: Bool

  package init(result: CType, parameters: [(name: String, type: CType)], isVariadic: Bool) {
    self.result = result
    self.parameters = parameters
    self.isVariadic = isVariadic
  }
}
