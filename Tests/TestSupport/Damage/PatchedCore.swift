import Foundation

/// A copy of a real core whose memory a test changes, by virtual address: of a kernel of 4 KiB pages and four
/// levels of tables, which it follows the plain way.
public final class PatchedCore {
  /// The copy.
  public let path: String
  private let reader: CoreReader
  private let file: FileHandle
  private let root: UInt64
  private var changes: [(offset: UInt64, bytes: [UInt8])] = []

  /// Copies `original` to `path`; its root table is at physical `root`.
  public init(copying original: String, to path: String, root: UInt64) throws {
    try FileManager.default.copyItem(atPath: original, toPath: path)
    self.path = path
    self.root = root
    reader = try CoreReader(path: path)
    file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
  }

  /// Where the entry of the last level that maps `address` is, and the entry.
  private func entry(_ address: UInt64) throws -> (at: UInt64, value: UInt64, size: UInt64) {
    var table = root
    for shift in [39, 30, 21, 12] as [UInt64] {
      let at = table + (address >> shift & 511) * 8
      guard let value = try reader.word(at), value & 1 == 1 else {
        throw TestSupportError("0x\(String(address, radix: 16)) is not mapped")
      }
      if shift == 12 || value & 2 == 0 { return (at, value, 1 << shift) }
      table = value & 0xffff_ffff_f000
    }
    throw TestSupportError("no level is left")
  }

  /// Where `address` is in physical memory.
  public func physical(_ address: UInt64) throws -> UInt64 {
    let entry = try entry(address)
    return entry.value & 0xffff_ffff_f000 & ~(entry.size - 1) | address & (entry.size - 1)
  }

  /// The word at virtual `address`.
  public func word(_ address: UInt64) throws -> UInt64 {
    guard let word = try reader.word(physical(address)) else { throw TestSupportError("not in the dump") }
    return word
  }

  /// The four bytes at virtual `address`.
  public func half(_ address: UInt64) throws -> UInt32 {
    let word = try word(address & ~7)
    return UInt32(truncatingIfNeeded: address & 4 == 0 ? word : word >> 32)
  }

  /// Writes `bytes` at virtual `address`, within one page.
  public func set(_ bytes: [UInt8], at address: UInt64) throws { try set(bytes, physical: physical(address)) }

  /// Writes a word at virtual `address`.
  public func set(_ word: UInt64, at address: UInt64) throws { try set([UInt8](little: word), at: address) }

  /// Lets the page at `address` be mapped to memory that the machine does not have, as one is that was not dumped.
  public func takeAway(_ address: UInt64) throws { try map(address, to: 0x70_0000_0000) }

  /// Maps the page at `address` to `physical`.
  public func map(_ address: UInt64, to physical: UInt64) throws {
    let entry = try entry(address)
    guard entry.size == 4096 else { throw TestSupportError("not mapped by a page") }
    try set([UInt8](little: entry.value & ~0xffff_ffff_f000 | physical), physical: entry.at)
  }

  private func set(_ bytes: [UInt8], physical: UInt64) throws {
    guard let offset = reader.offset(physical, bytes.count), let old = try reader.bytes(physical, bytes.count) else {
      throw TestSupportError("not in the dump")
    }
    changes.append((offset, old))
    try write(bytes, at: offset)
  }

  /// Overwrites every occurrence of `bytes` in the file.
  public func replaceAll(_ bytes: [UInt8], with others: [UInt8]) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
    var from = data.startIndex
    var hits: [Int] = []
    while let hit = data.range(of: Data(bytes), in: from..<data.endIndex) {
      hits.append(hit.lowerBound)
      from = hit.upperBound
    }
    for hit in hits {
      changes.append((UInt64(hit), bytes))
      try write(others, at: UInt64(hit))
    }
  }

  /// Undoes all changes.
  public func restore() throws {
    for change in changes.reversed() { try write(change.bytes, at: change.offset) }
    changes = []
  }

  private func write(_ bytes: [UInt8], at offset: UInt64) throws {
    try file.seek(toOffset: offset)
    try file.write(contentsOf: bytes)
  }

  deinit { try? file.close() }
}
