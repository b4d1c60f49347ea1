/// Writes BTF, type by type, as Documentation/bpf/btf.rst has it: the kernel's, or a module's that continues it.
public struct BTFWriter: Sendable {
  /// A member of a structure or union.
  public struct Member: Sendable {
    /// Its name; empty where it has none.
    public var name: String
    /// The number of its type.
    public var type: Int
    /// Its first bit.
    public var bit: Int
    /// Bits of a bit field, which makes the structure one of the newer kind.
    public var bits: Int

    /// Describes a member.
    public init(_ name: String, _ type: Int, bit: Int, bits: Int = 0) {
      self.name = name
      self.type = type
      self.bit = bit
      self.bits = bits
    }
  }

  /// The number of its first type.
  public let firstNumber: Int
  private let firstString: Int
  private let known: [String: Int]
  private var strings: [UInt8]
  private var offsets: [String: Int]
  private var types: [UInt8] = []
  private var count = 0

  /// Begins the kernel's BTF.
  public init() {
    firstNumber = 1
    firstString = 0
    known = ["": 0]
    strings = [0]
    offsets = ["": 0]
  }

  /// Begins a module's BTF, which uses what `base` has of names and types.
  public init(continuing base: BTFWriter) {
    firstNumber = base.firstNumber + base.count
    firstString = base.firstString + base.strings.count
    known = base.known.merging(base.offsets) { first, _ in first }
    strings = []
    offsets = [:]
  }

  /// The whole: header, types, strings.
  public var bytes: [UInt8] {
    var result: [UInt8] = [0x9f, 0xeb, 1, 0] + [UInt8](little: UInt32(24))
    for field in [0, types.count, types.count, strings.count] { result += [UInt8](little: UInt32(field)) }
    return result + types + strings
  }

  private mutating func name(_ text: String) -> Int {
    if let offset = known[text] ?? offsets[text] { return offset }
    let offset = firstString + strings.count
    strings += Array(text.utf8) + [0]
    offsets[text] = offset
    return offset
  }

  /// Adds a type of any kind; `tail` is what follows the three words.
  @discardableResult
  public mutating func add(
    kind: Int, _ text: String = "", count members: Int = 0, flag: Bool = false, sizeOrType: Int, tail: [Int] = []
  ) -> Int {
    let info = (flag ? 1 << 31 : 0) | kind << 24 | members
    for word in [name(text), info, sizeOrType] + tail { types += [UInt8](little: UInt32(word)) }
    defer { count += 1 }
    return firstNumber + count
  }

  /// BTF_KIND_INT; `offset` and `bits` are those of an integer that is a bit field.
  public mutating func integer(_ name: String, size: Int, offset: Int = 0, bits: Int? = nil) -> Int {
    add(kind: 1, name, sizeOrType: size, tail: [offset << 16 | (bits ?? size * 8)])
  }

  /// A kind that has a type and nothing else: 2 PTR, 8 TYPEDEF, 9 VOLATILE, 10 CONST, 11 RESTRICT, 18 TYPE_TAG.
  public mutating func reference(kind: Int, _ name: String = "", to type: Int) -> Int {
    add(kind: kind, name, sizeOrType: type)
  }

  /// BTF_KIND_ARRAY.
  public mutating func array(of type: Int, index: Int, count: Int) -> Int {
    add(kind: 3, sizeOrType: 0, tail: [type, index, count])
  }

  /// BTF_KIND_STRUCT, or BTF_KIND_UNION.
  public mutating func structure(_ name: String = "", size: Int, isUnion: Bool = false, _ members: [Member]) -> Int {
    let flag = members.contains { $0.bits > 0 }
    var tail: [Int] = []
    for member in members {
      tail += [self.name(member.name), member.type, flag ? member.bits << 24 | member.bit : member.bit]
    }
    return add(kind: isUnion ? 5 : 4, name, count: members.count, flag: flag, sizeOrType: size, tail: tail)
  }

  /// BTF_KIND_ENUM, or BTF_KIND_ENUM64 where it has eight bytes.
  public mutating func enumeration(_ name: String, size: Int, _ values: [String]) -> Int {
    let tail = values.enumerated().flatMap { number, text in
      [self.name(text), number] + (size == 8 ? [0] : [])
    }
    return add(kind: size == 8 ? 19 : 6, name, count: values.count, sizeOrType: size, tail: tail)
  }

  /// BTF_KIND_DATASEC with variables (BTF_KIND_VAR) of `type`, each at an offset.
  public mutating func section(_ name: String, _ variables: [(name: String, type: Int, offset: Int, size: Int)]) -> Int
  {
    let tail = variables.flatMap { variable in
      [add(kind: 14, variable.name, sizeOrType: variable.type, tail: [1]), variable.offset, variable.size]
    }
    return add(kind: 15, name, count: variables.count, sizeOrType: 0, tail: tail)
  }
}
