import Bytes

/// The header of BTF: where its sections are, relative to the end of the header.
///
///     magic u16 = 0xeb9f | version u8 = 1 | flags u8 | hdr_len u32 | type_off | type_len | str_off | str_len
///     since 7.2, with hdr_len 32: layout_off | layout_len
///
/// The layout section has the length of each kind's types, so that kinds of later kernels can be skipped:
///
///     info_sz u8 | elem_sz u8 | flags u16
///
/// (Documentation/bpf/btf.rst)
struct BTFHeader {
  /// Bytes of the header that all versions have.
  static let leastBytes = 24
  /// Bytes of the longest known header.
  static let mostBytes = 32
  /// How each header begins: magic, version, flags.
  static let magic: [UInt8] = [0x9f, 0xeb, 1, 0]

  let types: Range<Int>
  let strings: Range<Int>
  /// Empty if there is none.
  let layouts: Range<Int>
  /// Bytes of the header and all sections.
  var size: Int { max(types.upperBound, strings.upperBound, layouts.upperBound) }

  /// Reads the header that `slice` begins with; nil if it is not one.
  init?(_ slice: ArraySlice<UInt8>) {
    let bytes = Array(slice.prefix(Self.mostBytes))
    guard bytes.count >= Self.leastBytes, bytes.starts(with: Self.magic) else { return nil }
    func field(_ at: Int) -> Int { Int(bytes.word32(at)) }
    let length = field(4)
    guard length >= Self.leastBytes, length <= 256, length % 4 == 0, field(12) > 0, field(20) > 0 else { return nil }
    func section(_ at: Int) -> Range<Int>? {
      let start = length + field(at)
      return start + field(at + 4) <= Limits.btfBytes ? start..<(start + field(at + 4)) : nil
    }
    guard let types = section(8), let strings = section(16) else { return nil }
    self.types = types
    self.strings = strings
    layouts = length >= Self.mostBytes && bytes.count == Self.mostBytes ? section(24) ?? 0..<0 : 0..<0
  }

  /// Bytes of a type of `kind` with `count` elements; nil for a kind unknown to both this code and the layout.
  @inline(__always)
  func length(kind: Int, count: Int, _ bytes: [UInt8]) -> Int? {
    // A hot path: it runs for each of the kernel's hundred thousand types.
    if kind <= BTFKind.enumeration64, kind > 0 {
      let shift = UInt64(truncatingIfNeeded: kind &* 2)
      return 4
        &* (3 &+ Int(truncatingIfNeeded: Self.moreWords &>> shift & 3)
          &+ count &* Int(truncatingIfNeeded: Self.wordsPerElement &>> shift & 3))
    }
    let entry = layouts.lowerBound + 4 * kind
    guard entry + 4 <= layouts.upperBound, entry + 4 <= bytes.count, kind > 0 else { return nil }
    return 12 + Int(bytes[entry]) + Int(bytes[entry + 1]) * count
  }

  /// Words of a type beyond the three that all have, without its elements, two bits for each kind from 0 on: one of an
  /// integer, a variable and a declaration tag, three of an array.
  private static let moreWords: UInt64 = 1 << 2 | 3 << 6 | 1 << 28 | 1 << 34
  /// Words of each element: three of a record, a section and a 64-bit enumeration, two of an enumeration and a prototype.
  private static let wordsPerElement: UInt64 = 3 << 8 | 3 << 10 | 2 << 12 | 2 << 26 | 3 << 30 | 3 << 38
}

/// The kinds of BTF types, BTF_KIND_*.
enum BTFKind {
  static let int = 1
  static let pointer = 2
  static let array = 3
  static let structure = 4
  static let union = 5
  static let enumeration = 6
  static let forward = 7
  static let typedef = 8
  static let volatile = 9
  static let const = 10
  static let restrict = 11
  static let function = 12
  static let prototype = 13
  static let variable = 14
  static let section = 15
  static let float = 16
  static let declarationTag = 17
  static let typeTag = 18
  static let enumeration64 = 19

  /// A set of kinds.
  struct Mask {
    private let bits: UInt32
    init(_ kinds: Int...) { bits = kinds.reduce(0) { $0 | 1 << UInt32($1) } }
    @inline(__always) func contains(_ kind: Int) -> Bool { kind < 32 && bits >> UInt32(kind) & 1 == 1 }
    private init(bits: UInt32) { self.bits = bits }
    func isSubset(of other: Mask) -> Bool { bits & ~other.bits == 0 }
    func union(_ other: Mask) -> Mask { Mask(bits: bits | other.bits) }

    static let record = Mask(structure, BTFKind.union)
    static let enumerations = Mask(enumeration, enumeration64)
    static let ordinary = Mask(typedef, int, float)
    static let variables = Mask(variable)
    /// All kinds that define a type with a size.
    static let defined = record.union(enumerations).union(ordinary)
  }
}
