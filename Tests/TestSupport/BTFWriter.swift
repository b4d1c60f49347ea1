/// Writes BTF, type by type: true ones and ones whose fields lie. (Documentation/bpf/btf.rst)
///
///     header 24 bytes | types | strings
public struct BTFWriter {
  /// The number that the next type has; the first is 1.
  public private(set) var next: UInt32 = 1
  private var types: [UInt8] = []
  private var strings: [UInt8] = [0]

  /// Has no types.
  public init() {}

  /// A member of a structure: its name, its type's number, and its first bit; for a bit field, how many bits.
  public typealias Member = (name: String, type: UInt32, bit: UInt32, bits: UInt32)

  private mutating func name(_ text: String) -> UInt32 {
    guard !text.isEmpty else { return 0 }
    defer { strings += Array(text.utf8) + [0] }
    return UInt32(strings.count)
  }

  /// Adds a type: name_off, info, size or type, and what follows by its kind.
  @discardableResult
  public mutating func add(
    kind: UInt32, _ text: String = "", count: UInt32 = 0, hasFlag: Bool = false, value: UInt32, _ rest: [UInt32] = []
  ) -> UInt32 {
    let words = [name(text), kind << 24 | count | (hasFlag ? 1 << 31 : 0), value] + rest
    types += words.flatMap { [UInt8](little: $0) }
    next += 1
    return next - 1
  }

  /// An integer of `size` bytes.
  public mutating func integer(_ text: String, _ size: UInt32) -> UInt32 {
    add(kind: 1, text, value: size, [size * 8])
  }
  /// A pointer to `type`; 0 is void.
  public mutating func pointer(_ type: UInt32 = 0) -> UInt32 { add(kind: 2, value: type) }
  /// An array of `count` of `type`.
  public mutating func array(_ type: UInt32, _ count: UInt32) -> UInt32 { add(kind: 3, value: 0, [type, 1, count]) }
  /// Another name of `type`.
  public mutating func alias(_ text: String, _ type: UInt32) -> UInt32 { add(kind: 8, text, value: type) }

  /// A structure of `size` bytes, or a union.
  @discardableResult
  public mutating func structure(
    _ text: String, _ size: UInt32, _ members: [Member], isUnion: Bool = false
  ) -> UInt32 {
    let hasBits = members.contains { $0.bits > 0 }
    let rest = members.flatMap { member in
      [name(member.name), member.type, hasBits ? member.bits << 24 | member.bit : member.bit]
    }
    return add(kind: isUnion ? 5 : 4, text, count: UInt32(members.count), hasFlag: hasBits, value: size, rest)
  }

  /// The whole.
  public var bytes: [UInt8] {
    let lengths = [24, 0, UInt32(types.count), UInt32(types.count), UInt32(strings.count)]
    return [0x9f, 0xeb, 1, 0] + lengths.flatMap { [UInt8](little: $0) } + types + strings
  }
}
