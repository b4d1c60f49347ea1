import Bytes
import Synchronization

/// The types of a kernel from its BTF, which it carries in its read-only data (CONFIG_DEBUG_INFO_BTF, 5.2), or
/// those that a module adds to them (split BTF, CONFIG_DEBUG_INFO_BTF_MODULES, 5.11).
///
///     header: magic u16 = 0xeb9f | version u8 = 1 | flags u8 | hdr_len u32 | type_off | type_len | str_off | str_len
///     type:   name_off u32 | info u32: kind_flag 31, kind 28:24, vlen 15:0 | size or type u32 | by kind
///
/// Types are numbered from 1 in their order; 0 is void. A module's begin at the number after the kernel's last,
/// and its strings where the kernel's end. (Documentation/bpf/btf.rst)
package final class BTFTypes: TypeLayout {
  /// What it is, for `info`.
  package let origin: String
  /// Whether all its types are of kinds that are known, so that each has its right number.
  package let isComplete: Bool

  private let base: BTFTypes?
  private let bytes: [UInt8]
  private let strings: Range<Int>
  /// Where each own type begins, in the order of their numbers.
  private let starts: [Int32]
  /// Which names were looked up, and the numbers they have; 0 is none.
  private let named = Mutex<[String: Int]>([:])

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

  /// `sizeof(struct btf_header)`: 24 bytes.
  package static let headerBytes = 24
  /// How the header of a kernel's BTF begins: magic, version, flags, hdr_len.
  package static let magic: [UInt8] = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0]

  /// How many bytes the BTF has whose header `header` is; nil when it is no header.
  package static func size(ofHeader header: ArraySlice<UInt8>) -> Int? {
    let bytes = Array(header.prefix(headerBytes))
    guard bytes.count == headerBytes, bytes.starts(with: magic) else { return nil }
    func field(_ at: Int) -> Int { Int(bytes.word32(at)) }
    let typesEnd = field(8) + field(12)
    let stringsEnd = field(16) + field(20)
    guard field(12) > 0, field(20) > 0, max(typesEnd, stringsEnd) <= Limits.btfBytes else { return nil }
    return headerBytes + max(typesEnd, stringsEnd)
  }

  /// Uses `bytes`, which begin with the header.
  ///
  /// - Parameter base: the kernel's types, where these are a module's.
  /// - Returns: nil when they are no BTF, sections lie outside them, or it is not known where `base` ends.
  package init?(_ bytes: [UInt8], base: BTFTypes? = nil, origin: String) {
    guard let size = Self.size(ofHeader: bytes[...]), size <= bytes.count, base?.isComplete ?? true else { return nil }
    func field(_ at: Int) -> Int { Int(bytes.word32(at)) }
    let types = Self.headerBytes + field(8)
    let strings = Self.headerBytes + field(16)
    self.strings = strings..<(strings + field(20))
    // The kernel's begin with the empty string, which a module's leave to those.
    guard base != nil || bytes[strings] == 0 else { return nil }
    (starts, isComplete) = Self.starts(bytes, types..<(types + field(12)))
    self.base = base
    self.bytes = bytes
    self.origin = origin
  }

  private func half(_ at: Int) -> Int { Int(bytes.word32(at)) }

  /// Where each type in `range` begins, and whether they are all.
  private static func starts(_ bytes: [UInt8], _ range: Range<Int>) -> ([Int32], isComplete: Bool) {
    var starts: [Int32] = []
    starts.reserveCapacity(range.count / 20)
    var start = range.lowerBound
    while start + 12 <= range.upperBound {
      let info = bytes.word32(start + 4)
      guard let length = length(kind: Int(info >> 24 & 0x1f), count: Int(info & 0xffff)),
        start + length <= range.upperBound
      else { break }
      starts.append(Int32(start))
      start += length
    }
    return (starts, start == range.upperBound)
  }

  /// Bytes of a type; nil for a kind that is not known.
  @inline(__always)
  private static func length(kind: Int, count: Int) -> Int? {
    switch kind {
    case Kind.int, Kind.variable, 17: 16
    case Kind.pointer, 7, Kind.typedef, Kind.volatile, Kind.const, Kind.restrict, 12, Kind.float, Kind.typeTag: 12
    case Kind.array: 24
    case Kind.structure, Kind.union, Kind.section, Kind.enumeration64: 12 + 12 * count
    case Kind.enumeration, 13: 12 + 8 * count
    default: nil
    }
  }

  // MARK: - Types by number

  /// How many numbers are taken, 0 among them: what a module's first type is numbered.
  package var typeCount: Int { firstNumber + starts.count }
  /// How long the strings are: where a module's begin.
  package var stringBytes: Int { firstString + strings.count }
  private var firstNumber: Int { base?.typeCount ?? 1 }
  private var firstString: Int { base?.stringBytes ?? 0 }

  /// A type: whose it is, and where in those bytes.
  private struct Place {
    var table: BTFTypes
    var at: Int
    var kind: Int { table.half(at + 4) >> 24 & 0x1f }
    var count: Int { table.half(at + 4) & 0xffff }
    var hasBitFields: Bool { table.half(at + 4) >> 31 == 1 }
    var sizeOrType: Int { table.half(at + 8) }
    func field(_ offset: Int) -> Int { table.half(at + offset) }
  }

  private func place(_ number: Int) -> Place? {
    if number < firstNumber { return base?.place(number) }
    let index = number - firstNumber
    return number > 0 && index < starts.count ? Place(table: self, at: Int(starts[index])) : nil
  }

  /// The type that `number` stands for, names and qualifiers taken off.
  private func resolved(_ number: Int) -> Place? {
    var number = number
    for _ in 0..<Limits.typeDepth {
      guard let place = place(number) else { return nil }
      switch place.kind {
      case Kind.typedef, Kind.volatile, Kind.const, Kind.restrict, Kind.typeTag: number = place.sizeOrType
      default: return place
      }
    }
    return nil
  }

  private func size(_ number: Int, depth: Int = 0) -> Int? {
    guard depth < Limits.typeDepth, let place = resolved(number) else { return nil }
    switch place.kind {
    case Kind.pointer: return 8
    case Kind.array:
      guard let element = size(place.field(12), depth: depth + 1) else { return nil }
      let (size, overflow) = element.multipliedReportingOverflow(by: place.field(20))
      return overflow || size > Int(Limits.typeBytes) ? nil : size
    case Kind.int, Kind.structure, Kind.union, Kind.enumeration, Kind.enumeration64, Kind.float:
      return place.sizeOrType
    default: return nil
    }
  }

  // MARK: - Names

  /// The offsets that a name may have: among the kernel's strings, and among the module's.
  private struct NameOffsets {
    var base: Int?
    var own: Int?
    func has(_ offset: Int) -> Bool { offset == base || offset == own }
  }

  /// The offset of exactly `name` among the strings, each of which stands there once.
  private func offsets(of name: String) -> NameOffsets? {
    let wanted = Array(name.utf8) + [0]
    guard wanted.count > 1 else { return nil }
    var found = NameOffsets(base: base?.offsets(of: name)?.own)
    if bytes[strings].starts(with: wanted) {
      // A module's strings need not begin with an empty one.
      found.own = firstString
    } else if let hit = bytes.firstOccurrence(of: [0] + wanted, in: strings) {
      found.own = firstString + hit + 1 - strings.lowerBound
    }
    return found.own == nil && found.base == nil ? nil : found
  }

  private func text(_ offset: Int) -> String {
    if let base, offset < firstString { return base.text(offset) }
    let start = strings.lowerBound + (offset - firstString)
    guard offset >= firstString, strings.contains(start) else { return "" }
    let limit = min(start + Limits.symbolName, strings.upperBound)
    let end = bytes[start..<limit].firstIndex(of: 0) ?? limit
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  /// Whether the string at `offset` is `name`.
  private func isName(_ offset: Int, _ name: [UInt8]) -> Bool {
    if let base, offset < firstString { return base.isName(offset, name) }
    let start = strings.lowerBound + (offset - firstString)
    guard start + name.count < strings.upperBound, bytes[start + name.count] == 0 else { return false }
    for index in 0..<name.count where bytes[start + index] != name[index] { return false }
    return true
  }

  /// The number of the structure or union `name`, else of another type of that name; a module's own come first.
  private func number(of name: String) -> Int? {
    if let known = named.withLock({ $0[name] }) { return known > 0 ? known : nil }
    let found = offsets(of: name).flatMap { number(with: $0) } ?? base?.number(of: name)
    named.withLock { $0[name] = found ?? 0 }
    return found
  }

  /// The number of an own type whose name is at one of `offsets`.
  private func number(with offsets: NameOffsets) -> Int? {
    var other: Int?
    for (index, start) in starts.enumerated() where offsets.has(half(Int(start))) {
      switch Place(table: self, at: Int(start)).kind {
      case Kind.structure, Kind.union: return firstNumber + index
      case Kind.typedef, Kind.enumeration, Kind.enumeration64, Kind.int, Kind.float:
        other = other ?? firstNumber + index
      default: break
      }
    }
    return other
  }

  // MARK: - Members

  /// A member as it was found.
  private struct Found {
    var type: Int
    var firstBit: Int
    /// How many bits it has; nil where it is no bit field.
    var bitCount: Int?
  }

  /// The member `name` of `structure`, anonymous ones searched.
  private func member(_ name: [UInt8], _ structure: Place, _ left: inout Int, depth: Int = 0) -> Found? {
    guard depth < Limits.typeDepth, structure.kind == Kind.structure || structure.kind == Kind.union else { return nil }
    for number in 0..<structure.count {
      left -= 1
      guard left > 0 else { return nil }
      let nameAt = structure.field(12 + 12 * number)
      let type = structure.field(16 + 12 * number)
      let raw = structure.field(20 + 12 * number)
      let first = structure.hasBitFields ? raw & 0xffffff : raw
      if structure.table.isName(nameAt, name) {
        if structure.hasBitFields, raw >> 24 > 0 { return Found(type: type, firstBit: first, bitCount: raw >> 24) }
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
    // Where the structure does not say so, a bit field has an integer of its own kind: offset 23:16, bits 7:0.
    if found.bitCount == nil, let place = resolved(found.type), place.kind == Kind.int {
      let bits = place.field(12)
      if bits & 0xff > 0, bits & 0xff < size * 8 {
        found.firstBit += bits >> 16 & 0xff
        found.bitCount = bits & 0xff
      }
    }
    return TypeMember(firstBit: found.firstBit, bitCount: found.bitCount, unit: size)
  }

  /// The per-CPU variables: their names, and where they lie from `__per_cpu_start`.
  package var perCPUVariables: [(name: String, offset: Int, size: Int)] {
    for start in starts {
      let section = Place(table: self, at: Int(start))
      guard section.kind == Kind.section, text(section.field(0)) == ".data..percpu" else { continue }
      return (0..<section.count).compactMap { entry in
        guard let variable = place(section.field(12 + 12 * entry)) else { return nil }
        return (text(variable.field(0)), section.field(16 + 12 * entry), section.field(20 + 12 * entry))
      }
    }
    return []
  }
}
