import Bytes
import CElf
import Synchronization

/// The symbols of a vmlinux, looked up in the mapped `.symtab` itself.
///
/// A name is found by one scan of the table; so are the first few addresses. Only many address look-ups pay for an
/// index, once.
package final class ELFSymbolTable: SymbolSource {
  /// The file's name.
  package var origin: String { "symbol table of \(image.path)" }
  /// The KASLR offset of the running kernel from its link address (KERNELOFFSET).
  package let slide: UInt64

  private let image: ELFImage
  private let symbols: Range<UInt64>
  private let strings: Range<UInt64>
  private let sweeps = Atomic<Int>(0)
  private let index = AtomicOnce<AddressIndex>()

  /// `sizeof(Elf64_Sym)`.
  private static let entrySize: UInt64 = 24
  /// Address look-ups by scanning before an index is built.
  private static let sweepsBeforeIndex = 4

  /// Uses the symbol table of `image`, its addresses moved up by `slide`.
  ///
  /// - Throws: `LocatedError` if it has none, or one that lies outside the file.
  package init(_ image: ELFImage, slide: UInt64) throws(LocatedError) {
    guard let table = image.sections.first(where: { $0.type == UInt32(SHT_SYMTAB) }),
      image.sections.indices.contains(table.link)
    else {
      throw LocatedError(
        file: image.path, kind: .missing, "has no symbol table: it is stripped; give the vmlinux of the build")
    }
    let text = image.sections[table.link]
    self.image = image
    self.slide = slide
    symbols = try image.range(of: table)
    strings = try image.range(of: text)
    guard (symbols.upperBound - symbols.lowerBound) / Self.entrySize <= UInt64(Limits.symbols) else {
      throw LocatedError(
        file: image.path, offset: symbols.lowerBound, kind: .malformed, "has more symbols than any kernel")
    }
  }

  /// The same table for another slide.
  package convenience init(_ other: ELFSymbolTable, slide: UInt64) throws(LocatedError) {
    try self.init(other.image, slide: slide)
  }

  /// An entry that names something in the image.
  fileprivate struct Entry {
    var nameOffset: UInt64
    var address: UInt64
    var size: UInt64
    var isGlobal: Bool
    /// Of two names for one address, one with a size is preferred, then a global one.
    var rank: Int { (size > 0 ? 2 : 0) + (isGlobal ? 1 : 0) }
  }

  private var count: Int { Int((symbols.upperBound - symbols.lowerBound) / Self.entrySize) }

  /// Entry `number`, or nil if it names no function, object or label of the image.
  ///
  ///     st_name u32 | st_info u8 | st_other u8 | st_shndx u16 | st_value u64 | st_size u64
  @inline(__always)
  private func entry(_ number: Int) -> Entry? {
    let offset = symbols.lowerBound &+ UInt64(truncatingIfNeeded: number) &* Self.entrySize
    guard let name = image.file.integer(UInt32.self, at: offset),
      let info = image.file.integer(UInt8.self, at: offset &+ 4),
      let section = image.file.integer(UInt16.self, at: offset &+ 6),
      let value = image.file.integer(UInt64.self, at: offset &+ 8),
      let size = image.file.integer(UInt64.self, at: offset &+ 16)
    else { return nil }
    // Undefined and absolute symbols (constants, CRCs) are not in the image and do not move with it.
    guard section != 0, section != UInt16(SHN_ABS), info & 15 <= 2, name != 0 else { return nil }
    let start = strings.lowerBound &+ UInt64(name)
    // `$x` and `$d` mark code and data for disassemblers.
    guard start < strings.upperBound, image.file.integer(UInt8.self, at: start) != UInt8(ascii: "$") else {
      return nil
    }
    return Entry(nameOffset: start, address: value &+ slide, size: size, isGlobal: info >> 4 != 0)
  }

  private func name(at offset: UInt64) -> String {
    let end = min(strings.upperBound, offset + UInt64(Limits.symbolName))
    return image.file.withBytes(offset..<end) { $0.cString() } ?? ""
  }

  private func symbol(_ entry: Entry) -> Symbol {
    Symbol(name: name(at: entry.nameOffset), address: entry.address, size: entry.size)
  }

  /// The symbol of this name; a global one before a local one.
  package func symbol(named name: String) -> Symbol? {
    let wanted = Array(name.utf8) + [0]
    // Nearly all names differ in their first eight bytes, which are compared at once.
    let mask: UInt64 = wanted.count < 8 ? 1 << UInt64(wanted.count * 8) - 1 : .max
    let head = wanted.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let file = image.file
    let bytes = file.bytes
    let table = bytes.extracting(Int(symbols.lowerBound)..<Int(symbols.upperBound))
    let text = bytes.extracting(Int(strings.lowerBound)..<Int(strings.upperBound))
    var found: Entry?
    var offset = 0
    for number in 0..<count {
      let place = Int(table.integer(UInt32.self, at: offset) ?? 0)
      offset &+= Int(Self.entrySize)
      if let start = text.integer(UInt64.self, at: place), (start ^ head) & mask != 0 { continue }
      guard Self.isName(wanted, at: place, of: text), let entry = entry(number) else { continue }
      if entry.isGlobal { return symbol(entry) }
      if found == nil { found = entry }
    }
    return found.map(symbol)
  }

  /// Whether `name`, including its NUL, is at `place` of `text`.
  private static func isName(_ name: [UInt8], at place: Int, of text: RawSpan) -> Bool {
    for index in name.indices where text.integer(UInt8.self, at: place + index) != name[index] { return false }
    return true
  }

  /// The nearest symbol at or below `address`, which must be within its size. A label, which has none, extends no
  /// further than a function.
  package func symbol(containing address: UInt64) -> Symbol? {
    let nearest: Entry? =
      if sweeps.wrappingAdd(1, ordering: .relaxed).oldValue < Self.sweepsBeforeIndex {
        sweep(for: address)
      } else {
        index.value { AddressIndex(count, entry) }.number(at: address).flatMap(entry)
      }
    guard let nearest else { return nil }
    let reach = nearest.size == 0 ? Limits.longestFunction : nearest.size
    guard address - nearest.address < reach else { return nil }
    return symbol(nearest)
  }

  private func sweep(for address: UInt64) -> Entry? {
    var best: Entry?
    for number in 0..<count {
      guard let entry = entry(number), entry.address <= address else { continue }
      guard let known = best else {
        best = entry
        continue
      }
      if (entry.address, entry.rank) > (known.address, known.rank) { best = entry }
    }
    return best
  }

  /// All symbols, in the order of the table.
  package func forEachSymbol(_ body: (Symbol) -> Bool) {
    for number in 0..<count {
      if let entry = entry(number), !body(symbol(entry)) { return }
    }
  }
}

/// Symbol numbers in address order, one for each address: the preferred one.
private struct AddressIndex: Sendable {
  private struct Key: Comparable {
    var address: UInt64
    /// The preferred symbol is lower, then the earlier one.
    var order: UInt32
    @inline(__always)
    static func < (a: Key, b: Key) -> Bool { a.address != b.address ? a.address < b.address : a.order < b.order }
  }

  private var keys: [Key] = []

  init(_ count: Int, _ entry: (Int) -> ELFSymbolTable.Entry?) {
    keys.reserveCapacity(count)
    for number in 0..<min(count, Limits.symbols) {
      guard let entry = entry(number) else { continue }
      keys.append(Key(address: entry.address, order: UInt32((3 - entry.rank) << 23) | UInt32(number)))
    }
    keys.sort()
  }

  /// The symbol nearest at or below `address`.
  func number(at address: UInt64) -> Int? {
    let next = keys.partitioningIndex { $0.address > address }
    guard next > 0 else { return nil }
    // Of several at one address the first is preferred.
    let nearest = keys[next - 1].address
    return Int(keys[keys.partitioningIndex { $0.address >= nearest }].order & (1 << 23 - 1))
  }
}
