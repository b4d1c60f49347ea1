import Bytes
import Synchronization

/// The types of a kernel from its BTF, which it carries in its read-only data (CONFIG_DEBUG_INFO_BTF, 5.2), or
/// those that a module adds to them (split BTF, CONFIG_DEBUG_INFO_BTF_MODULES, 5.11).
///
///     type:   name_off u32 | info u32: kind_flag 31, kind 30:24, vlen 23:0 | size or type u32 | by kind
///
/// Types are numbered from 1 in order; 0 is void. A module's numbers continue after the kernel's last, and its strings
/// after the kernel's. (Documentation/bpf/btf.rst)
package final class BTFTypes: Sendable {
  /// What it is, for `info`.
  package let origin: String
  /// Whether all its types are of known kinds, so that the numbers are right.
  package let isComplete: Bool
  /// The module whose types they are; nil for the kernel's own.
  package let module: String?
  /// The bytes of the whole section, header included.
  package let bytes: [UInt8]

  /// The kernel's types, which a module's extend.
  let base: BTFTypes?
  private let strings: Range<Int>
  /// The offset of each own type, by number.
  let typeOffsets: [Int32]
  /// Those that define a type with a size: about one in ten.
  private let definitions: [Int32]
  /// Which of them are variables: some hundred, per-CPU ones.
  private let variables: [Int32]
  /// Whether any enumeration is flagged as signed, so that the others are not.
  let flagsSignedEnumerations: Lazy<Bool>
  /// The names looked up so far, and their numbers; 0 is none.
  private let named = Mutex<[String: Int]>([:])

  /// Bytes of the longest header.
  package static let headerBytes = BTFHeader.mostBytes
  /// How a header begins.
  package static let magic = BTFHeader.magic

  /// The size of the BTF whose header `header` begins with; nil if it is not a header.
  package static func size(ofHeader header: ArraySlice<UInt8>) -> Int? { BTFHeader(header)?.size }

  /// Uses `bytes`, which begin with the header.
  ///
  /// - Parameters:
  ///   - base: the kernel's types, if these are a module's.
  ///   - module: the module's name.
  /// - Returns: nil if they are not BTF, sections lie outside them, or the end of `base` is unknown.
  package init?(_ bytes: [UInt8], base: BTFTypes? = nil, origin: String, module: String? = nil) {
    guard let header = BTFHeader(bytes[...]), header.size <= bytes.count, base?.isComplete ?? true else { return nil }
    // The kernel's strings begin with the empty string, which a module's lack.
    guard base != nil || bytes[header.strings.lowerBound] == 0 else { return nil }
    strings = header.strings
    let starts = Starts(bytes, header)
    typeOffsets = starts.all
    definitions = starts.definitions
    variables = starts.variables
    isComplete = starts.areComplete
    flagsSignedEnumerations = Lazy {
      starts.all.contains { start in
        let info = bytes.word32(Int(start) + 4)
        return info >> 31 == 1 && [BTFKind.enumeration, BTFKind.enumeration64].contains(Int(info >> 24 & 0x7f))
      }
    }
    self.base = base
    self.bytes = header.size == bytes.count ? bytes : Array(bytes.prefix(header.size))
    self.origin = origin
    self.module = module
  }

  func half(_ at: Int) -> Int { Int(bytes.word32(at)) }

  /// Where each type begins, and which of them are what is looked up by name.
  private struct Starts {
    var all: [Int32] = []
    var definitions: [Int32] = []
    var variables: [Int32] = []
    /// Whether the kinds of all are known.
    let areComplete: Bool

    init(_ bytes: [UInt8], _ header: BTFHeader) {
      let range = header.types
      let section = bytes.span.rawSpan
      let defined = BTFKind.Mask.defined
      all.reserveCapacity(range.count / 16)
      definitions.reserveCapacity(range.count / 128)
      var start = range.lowerBound
      while start &+ 12 <= range.upperBound {
        let info = section.integer(UInt32.self, at: start &+ 4) ?? 0
        let kind = Int(truncatingIfNeeded: info &>> 24 & 0x7f)
        guard let length = header.length(kind: kind, count: Int(truncatingIfNeeded: info & 0xff_ffff), bytes),
          length <= range.upperBound &- start
        else { break }
        if defined.contains(kind) {
          definitions.append(Int32(truncatingIfNeeded: all.count))
        } else if kind == BTFKind.variable {
          variables.append(Int32(truncatingIfNeeded: all.count))
        }
        all.append(Int32(truncatingIfNeeded: start))
        start &+= length
      }
      areComplete = start == range.upperBound
    }
  }

  // MARK: - Types by number

  /// The count of numbers in use, including 0: the number of a module's first type.
  package var typeCount: Int { firstNumber + typeOffsets.count }
  /// The length of the strings: the offset at which a module's begin.
  package var stringBytes: Int { firstString + strings.count }
  var firstNumber: Int { base?.typeCount ?? 1 }
  private var firstString: Int { base?.stringBytes ?? 0 }

  /// A type: the graph that has it, and its offset there.
  struct Place {
    var table: BTFTypes
    var at: Int
    var kind: Int { table.half(at + 4) >> 24 & 0x7f }
    var count: Int { table.half(at + 4) & 0xff_ffff }
    /// kind_flag: bit fields in a record, signed values in an enumeration, a union in a forward declaration.
    var flag: Bool { table.half(at + 4) >> 31 == 1 }
    var sizeOrType: Int { table.half(at + 8) }
    func field(_ offset: Int) -> Int { table.half(at + offset) }
  }

  func place(_ number: Int) -> Place? {
    if number < firstNumber { return base?.place(number) }
    let index = number - firstNumber
    return number > 0 && index < typeOffsets.count ? Place(table: self, at: Int(typeOffsets[index])) : nil
  }

  /// The type of `number` without typedefs and qualifiers.
  func resolved(_ number: Int) -> Place? {
    var number = number
    for _ in 0..<Limits.typeDepth {
      guard let place = place(number) else { return nil }
      switch place.kind {
      case BTFKind.typedef, BTFKind.volatile, BTFKind.const, BTFKind.restrict, BTFKind.typeTag:
        number = place.sizeOrType
      default: return place
      }
    }
    return nil
  }

  // MARK: - Names

  /// Own types whose name is `name` and whose kind is one of `kinds`, in their order: one pass over all types, or over
  /// the definitions or the variables, which compares the names of those alone. It costs a twentieth of a search through
  /// the strings.
  func numbers(named name: String, of kinds: BTFKind.Mask) -> [Int] {
    let wanted = NameBytes(name)
    var result: [Int] = []
    func consider(_ index: Int) {
      let at = Int(typeOffsets[index])
      guard kinds.contains(half(at + 4) >> 24 & 0x7f), isName(half(at), wanted) else { return }
      result.append(firstNumber + index)
    }
    if kinds.isSubset(of: .defined) {
      for index in definitions { consider(Int(index)) }
    } else if kinds.isSubset(of: .variables) {
      for index in variables { consider(Int(index)) }
    } else {
      for index in typeOffsets.indices { consider(index) }
    }
    return result
  }

  /// A name, with its first bytes as a word.
  struct NameBytes {
    let bytes: [UInt8]
    /// The first eight bytes, NUL included.
    fileprivate let word: UInt64
    fileprivate let mask: UInt64

    init(_ name: String) {
      bytes = Array(name.utf8)
      let count = min(bytes.count + 1, 8)
      mask = count == 8 ? .max : 1 << UInt64(8 * count) - 1
      word = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  /// Whether the string at `offset` is `name`.
  @inline(__always)
  func isName(_ offset: Int, _ name: NameBytes) -> Bool {
    if let base, offset < firstString { return base.isOwnName(offset, name) }
    return isOwnName(offset - firstString, name)
  }

  @inline(__always)
  private func isOwnName(_ offset: Int, _ name: NameBytes) -> Bool {
    let start = strings.lowerBound + offset
    guard offset >= 0, start + name.bytes.count < strings.upperBound else { return false }
    if start + 8 <= bytes.count {
      let word = UInt64(bytes.word32(start)) | UInt64(bytes.word32(start + 4)) << 32
      guard word & name.mask == name.word & name.mask else { return false }
    }
    return isName(offset + firstString, name.bytes)
  }

  func text(_ offset: Int) -> String {
    if let base, offset < firstString { return base.text(offset) }
    let start = strings.lowerBound + (offset - firstString)
    guard offset >= firstString, strings.contains(start) else { return "" }
    let limit = min(start + Limits.symbolName, strings.upperBound)
    let end = bytes[start..<limit].firstIndex(of: 0) ?? limit
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  /// Whether the string at `offset` is `name`.
  func isName(_ offset: Int, _ name: [UInt8]) -> Bool {
    if let base, offset < firstString { return base.isName(offset, name) }
    let start = strings.lowerBound + (offset - firstString)
    guard start + name.count < strings.upperBound, bytes[start + name.count] == 0 else { return false }
    for index in 0..<name.count where bytes[start + index] != name[index] { return false }
    return true
  }

  /// The number of the structure or union `name`, else of another type of that name; a module's own come first.
  func number(of name: String) -> Int? {
    if let known = named.withLock({ $0[name] }) { return known > 0 ? known : nil }
    let found = number(named: name) ?? base?.number(of: name)
    named.withLock { $0[name] = found ?? 0 }
    return found
  }

  /// The number of an own type called `name`.
  private func number(named name: String) -> Int? {
    guard !name.isEmpty else { return nil }
    let found = numbers(named: name, of: .defined)
    return found.first { number in place(number).map { BTFKind.Mask.record.contains($0.kind) } ?? false } ?? found.first
  }
}
