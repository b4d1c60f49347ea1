import Bytes
import DebugInfo

/// The symbols that the kernel exports to modules, for kernels whose kallsyms names functions only.
///
///     __ksymtab: value s32 | name s32 | namespace s32, each relative to itself     (5.4; two words in 4.19)
///
/// Found by structure: a name among the strings, then the word that points at it.
/// (include/linux/export.h, `struct kernel_symbol` in include/linux/export-internal.h)
struct ExportTable: SymbolSource {
  private let entries: Lazy<[Symbol]>

  init(_ search: ImageSearch?) {
    entries = Lazy { search.map(Self.load) ?? [] }
  }

  /// Whether it was found.
  var isPresent: Bool { !entries.value.isEmpty }
  var origin: String { "the kernel's export table" }
  func symbol(named name: String) -> Symbol? { entries.value.first { $0.name == name } }
  /// What is exported has no size, so that it names its own address only.
  func symbol(containing address: UInt64) -> Symbol? { entries.value.first { $0.address == address } }
  func forEachSymbol(_ body: (Symbol) -> Bool) {
    for symbol in entries.value where !body(symbol) { return }
  }

  /// Names that every kernel exports, to find the tables by: one to everybody, one under the GPL.
  private static let anchors = ["init_task", "kmem_cache_alloc", "__per_cpu_offset", "init_uts_ns"]

  private static func load(_ search: ImageSearch) -> [Symbol] {
    let space = search.space
    guard let bytes = space.bytes(in: search.range) else { return [] }
    let start = search.range.lowerBound
    // The linker lets a name be the end of a longer one, so nothing need stand before it.
    let names = anchors.flatMap { occurrences(of: Array($0.utf8) + [0], in: bytes) }
    var result: [Symbol] = []
    var seen: [ClosedRange<Int>] = []
    for place in pointers(to: Set(names), in: bytes) where !seen.contains(where: { $0.contains(place) }) {
      for stride in [12, 8] {
        let table = table(around: place, stride, bytes)
        guard table.count > 16 * stride else { continue }
        seen.append(table)
        result += symbols(table, stride, bytes, start)
        break
      }
    }
    return result
  }

  /// The word at `offset`, as a distance.
  @inline(__always)
  private static func word(_ bytes: [UInt8], _ offset: Int) -> Int {
    Int(
      Int32(
        truncatingIfNeeded: Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 | Int(bytes[offset + 2]) << 16
          | Int(bytes[offset + 3]) << 24))
  }

  /// The places of words that point at one of `targets`.
  private static func pointers(to targets: Set<Int>, in bytes: [UInt8]) -> [Int] {
    guard let lowest = targets.min(), let highest = targets.max() else { return [] }
    var result: [Int] = []
    unsafe bytes.withUnsafeBytes { bytes in
      // The value stands before the name.
      for place in stride(from: 4, to: bytes.count - 4, by: 4) where result.count < Limits.exportPointers {
        let word = unsafe bytes.loadUnaligned(fromByteOffset: place, as: Int32.self)
        let target = place &+ Int(Int32(littleEndian: word))
        if target >= lowest, target <= highest, targets.contains(target) { result.append(place) }
      }
    }
    return result
  }

  /// Whether an entry whose name is at `place` can be: it points at an identifier.
  private static func isEntry(_ place: Int, _ bytes: [UInt8]) -> Bool {
    guard place >= 4, place <= bytes.count - 4 else { return false }
    let name = place + word(bytes, place)
    guard name > 0, name < bytes.count - 64 else { return false }
    for offset in 0..<64 {
      let letter = bytes[name + offset]
      if letter == 0 { return offset > 1 }
      guard letter == 0x5f || letter == 0x2e || (0x30...0x39).contains(letter) || (0x61...0x7a).contains(letter | 0x20)
      else { return false }
    }
    return true
  }

  /// The places of the names of the table that `place` is in: first and last.
  private static func table(around place: Int, _ stride: Int, _ bytes: [UInt8]) -> ClosedRange<Int> {
    var first = place
    while isEntry(first - stride, bytes) { first -= stride }
    var last = place
    while isEntry(last + stride, bytes) { last += stride }
    return first...last
  }

  private static func symbols(_ table: ClosedRange<Int>, _ step: Int, _ bytes: [UInt8], _ start: UInt64) -> [Symbol] {
    stride(from: table.lowerBound, through: table.upperBound, by: step).map { place in
      let name = place + word(bytes, place)
      let end = bytes[name...].firstIndex(of: 0) ?? bytes.count
      let value = place - 4 + word(bytes, place - 4)
      return Symbol(
        name: String(decoding: bytes[name..<min(end, name + Limits.symbolName)], as: UTF8.self),
        address: start &+ UInt64(bitPattern: Int64(value)), size: 1)
    }
  }
}

extension KernelSpace {
  /// The bytes of `range` with zeros where they cannot be read; nil where it is too long.
  func bytes(in range: Range<UInt64>) -> [UInt8]? {
    guard range.upperBound - range.lowerBound <= Limits.imageBytes else { return nil }
    var result = [UInt8](repeating: 0, count: Int(range.upperBound - range.lowerBound))
    forEachPiece(range, overlap: 0) { address, bytes in
      let from = max(address, range.lowerBound)
      let count = Int(min(address + UInt64(bytes.count), range.upperBound) - from)
      let skip = Int(from - address)
      let at = Int(from - range.lowerBound)
      result.replaceSubrange(at..<(at + count), with: bytes[skip..<(skip + count)])
      return true
    }
    return result
  }
}
