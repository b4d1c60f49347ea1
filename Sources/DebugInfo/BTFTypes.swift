import Bytes
import CElf
import Synchronization

/// The types of a kernel from its BTF, which it carries in its read-only data (CONFIG_DEBUG_INFO_BTF, 5.2).
///
///     header: magic u16 = 0xeb9f | version u8 = 1 | flags u8 | hdr_len u32 | type_off | type_len | str_off | str_len
///     type:   name_off u32 | info u32: kind_flag 31, kind 28:24, vlen 15:0 | size or type u32 | by kind
///
/// Types are numbered from 1 in their order; 0 is void. (Documentation/bpf/btf.rst)
public final class BTFTypes: TypeLayout {
  /// What it is, for `info`.
  public let origin: String

  private let bytes: [UInt8]
  private let types: Range<Int>
  private let strings: Range<Int>
  private let index = Mutex<Index?>(nil)

  /// Where each type begins, and which names were looked up.
  private struct Index {
    var starts: [Int32] = [0]
    var named: [String: Int] = [:]
  }

  /// The kinds whose layout matters here.
  private enum Kind {
    static let int = 1
    static let pointer = 2
    static let array = 3
    static let structure = 4
    static let union = 5
    static let enumeration = 6
    static let typedef = 8
    static let volatile = 9
    static let const = 10
    static let restrict = 11
    static let variable = 14
    static let section = 15
    static let float = 16
    static let typeTag = 18
    static let enumeration64 = 19
  }

  /// Types inside types that are followed: C code nests a few.
  private static let depth = 32
  /// `sizeof(struct btf_header)`: 24 bytes.
  public static let headerBytes = 24
  static var headerSize: Int { headerBytes }

  /// How many bytes the BTF has whose header `header` is; nil when it is no header.
  public static func size(ofHeader header: ArraySlice<UInt8>) -> Int? {
    let bytes = Array(header.prefix(headerSize))
    guard bytes.count == headerSize, half(bytes, 0) & 0xffff == 0xeb9f, bytes[2] == 1, half(bytes, 4) == 24 else {
      return nil
    }
    let typesEnd = Int(half(bytes, 8)) + Int(half(bytes, 12))
    let stringsEnd = Int(half(bytes, 16)) + Int(half(bytes, 20))
    guard half(bytes, 12) > 0, half(bytes, 20) > 0, max(typesEnd, stringsEnd) <= Limits.btfBytes else { return nil }
    return headerSize + max(typesEnd, stringsEnd)
  }

  /// Uses `bytes`, which begin with the header.
  ///
  /// - Returns: nil when they are no BTF, or sections lie outside them.
  public init?(_ bytes: [UInt8], origin: String) {
    guard let size = Self.size(ofHeader: bytes[...]), size <= bytes.count else { return nil }
    let header = Self.headerSize
    let types = header + Int(Self.half(bytes, 8))
    let strings = header + Int(Self.half(bytes, 16))
    self.types = types..<(types + Int(Self.half(bytes, 12)))
    self.strings = strings..<(strings + Int(Self.half(bytes, 20)))
    guard bytes[strings] == 0 else { return nil }
    self.bytes = bytes
    self.origin = origin
  }

  @inline(__always)
  private static func half(_ bytes: [UInt8], _ at: Int) -> UInt32 {
    bytes.word32(at)
  }

  private func half(_ at: Int) -> Int { Int(bytes.word32(at)) }

  // MARK: - Types by number

  private func kind(_ start: Int) -> Int { half(start + 4) >> 24 & 0x1f }
  private func count(_ start: Int) -> Int { half(start + 4) & 0xffff }

  /// Bytes of the type at `start`; nil for a kind that is not known.
  private func length(_ start: Int) -> Int? {
    switch kind(start) {
    case Kind.int, Kind.variable, 17: 16
    case Kind.pointer, 7, Kind.typedef, Kind.volatile, Kind.const, Kind.restrict, 12, Kind.float, Kind.typeTag: 12
    case Kind.array: 24
    case Kind.structure, Kind.union, Kind.section, Kind.enumeration64: 12 + 12 * count(start)
    case Kind.enumeration, 13: 12 + 8 * count(start)
    default: nil
    }
  }

  private func withIndex<R: Sendable>(_ body: (inout Index) -> R) -> R {
    index.withLock { index in
      var ready = index ?? makeIndex()
      let result = body(&ready)
      index = ready
      return result
    }
  }

  private func makeIndex() -> Index {
    var index = Index()
    var start = types.lowerBound
    while start + 12 <= types.upperBound, let length = length(start), start + length <= types.upperBound {
      index.starts.append(Int32(start))
      start += length
    }
    return index
  }

  private func start(_ number: Int, _ index: Index) -> Int? {
    number > 0 && number < index.starts.count ? Int(index.starts[number]) : nil
  }

  /// The type that `number` stands for, names and qualifiers taken off.
  private func resolved(_ number: Int, _ index: Index) -> Int? {
    var number = number
    for _ in 0..<Self.depth {
      guard let start = start(number, index) else { return nil }
      switch kind(start) {
      case Kind.typedef, Kind.volatile, Kind.const, Kind.restrict, Kind.typeTag: number = half(start + 8)
      default: return start
      }
    }
    return nil
  }

  private func size(_ number: Int, _ index: Index, depth: Int = 0) -> Int? {
    guard depth < Self.depth, let start = resolved(number, index) else { return nil }
    switch kind(start) {
    case Kind.pointer: return 8
    case Kind.array:
      guard let element = size(half(start + 12), index, depth: depth + 1) else { return nil }
      let (size, overflow) = element.multipliedReportingOverflow(by: half(start + 20))
      return overflow ? nil : size
    case Kind.int, Kind.structure, Kind.union, Kind.enumeration, Kind.enumeration64, Kind.float: return half(start + 8)
    default: return nil
    }
  }

  // MARK: - Names

  /// The offset of exactly `name` among the strings, each of which stands there once.
  private func string(_ name: String) -> Int? {
    let wanted = [0] + Array(name.utf8) + [0]
    return bytes.firstOccurrence(of: wanted, in: strings).map { $0 + 1 - strings.lowerBound }
  }

  private func text(_ offset: Int) -> String {
    guard offset >= 0, offset < strings.count else { return "" }
    let start = strings.lowerBound + offset
    let limit = min(start + Limits.symbolName, strings.upperBound)
    let end = bytes[start..<limit].firstIndex(of: 0) ?? limit
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  /// The number of the structure, union or typedef `name`.
  private func find(_ name: String, _ index: inout Index) -> Int? {
    if let known = index.named[name] { return known > 0 ? known : nil }
    index.named[name] = 0
    guard let wanted = string(name) else { return nil }
    for number in 1..<max(1, index.starts.count) {
      let start = Int(index.starts[number])
      guard half(start) == wanted else { continue }
      let kind = kind(start)
      guard kind == Kind.structure || kind == Kind.union || kind == Kind.typedef else { continue }
      index.named[name] = number
      return number
    }
    return nil
  }

  /// The member `name` of the structure at `start`, anonymous ones searched: its type and bits. `work` is how
  /// many members may still be looked at.
  private func member(
    _ name: Int, _ start: Int, _ index: Index, depth: Int = 0, _ work: inout Int
  ) -> (type: Int, bitOffset: Int, bitSize: Int)? {
    guard depth < Self.depth, kind(start) == Kind.structure || kind(start) == Kind.union else { return nil }
    let hasBitFields = half(start + 4) >> 31 == 1
    for number in 0..<count(start) {
      guard work > 0 else { return nil }
      work -= 1
      let at = start + 12 + 12 * number
      let raw = half(at + 8)
      let bitOffset = hasBitFields ? raw & 0xffffff : raw
      let type = half(at + 4)
      if half(at) == name { return (type, bitOffset, hasBitFields ? raw >> 24 : 0) }
      if half(at) == 0 || bytes[strings.lowerBound + min(half(at), strings.count - 1)] == 0,
        let inner = resolved(type, index), let found = member(name, inner, index, depth: depth + 1, &work)
      {
        return (found.type, bitOffset + found.bitOffset, found.bitSize)
      }
    }
    return nil
  }

  // MARK: - TypeLayout

  /// `sizeof` of a structure, union or typedef.
  public func size(of type: String) -> Int? {
    withIndex { index in find(type, &index).flatMap { size($0, index) } }
  }

  /// A member by its path.
  public func member(_ path: String, of type: String) -> TypeMember? {
    withIndex { index in
      guard var number = find(type, &index) else { return nil }
      var bitOffset = 0
      var bitSize = 0
      var work = Limits.membersPerQuestion
      for part in path.split(separator: ".") {
        guard let start = resolved(number, index), let name = string(String(part)),
          let found = member(name, start, index, &work)
        else { return nil }
        bitOffset += found.bitOffset
        bitSize = found.bitSize
        number = found.type
      }
      guard let size = size(number, index), size <= Limits.typeBytes else { return nil }
      return TypeMember(firstBit: bitOffset, bitCount: bitSize > 0 ? bitSize : nil, unit: size)
    }
  }

  /// The per-CPU variables: their names, and where they lie from `__per_cpu_start`.
  public var perCPUVariables: [(name: String, offset: Int, size: Int)] {
    withIndex { index in
      for number in 1..<max(1, index.starts.count) {
        let start = Int(index.starts[number])
        guard kind(start) == Kind.section, text(half(start)) == ".data..percpu" else { continue }
        return (0..<count(start)).compactMap { entry in
          let at = start + 12 + 12 * entry
          guard let variable = self.start(half(at), index) else { return nil }
          return (text(half(variable)), half(at + 4), half(at + 8))
        }
      }
      return []
    }
  }
}

extension [UInt8] {
  /// The little-endian 32-bit word at `offset`; 0 past the end.
  @inline(__always)
  func word32(_ offset: Int) -> UInt32 {
    unsafe withUnsafeBytes { bytes in
      guard offset >= 0, offset <= bytes.count - 4 else { return 0 }
      return unsafe UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
  }

  /// Where `wanted` first stands in `range`.
  func firstOccurrence(of wanted: [UInt8], in range: Range<Int>) -> Int? {
    unsafe withUnsafeBufferPointer { bytes in
      unsafe wanted.withUnsafeBufferPointer { wanted in
        guard let base = bytes.baseAddress, let pattern = wanted.baseAddress, range.upperBound <= bytes.count else {
          return nil
        }
        guard let hit = unsafe memmem(base + range.lowerBound, range.count, pattern, wanted.count) else { return nil }
        return unsafe base.distance(to: hit.assumingMemoryBound(to: UInt8.self))
      }
    }
  }
}
