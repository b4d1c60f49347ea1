import Bytes
import CrashDump
import Foundation
import TestSupport
import VMSA

/// Calls `body` with the dump that `bytes` make as a file.
func withDump<R>(
  _ bytes: [UInt8], cacheSize: Int = DumpFile.defaultCacheSize, _ body: (DumpFile) throws -> R
) throws -> R {
  try withFiles(["vmcore": bytes]) { folder in
    try body(DumpFile(path: folder + "/vmcore", cacheSize: cacheSize))
  }
}

/// Calls `body` with the path of a folder that holds `files`.
func withFiles<R>(_ files: [String: [UInt8]], _ body: (String) throws -> R) throws -> R {
  try Scratch.withFolder { folder in
    for (name, bytes) in files { try Data(bytes).write(to: folder.appendingPathComponent(name)) }
    return try body(folder.path)
  }
}

/// Why `bytes` are no dump; nil when they are one.
func openingError(_ bytes: [UInt8]) throws -> LocatedError? {
  try withFiles(["vmcore": bytes]) { folder in openingError(path: folder + "/vmcore") }
}

/// Why `path` is no dump; nil when it is one.
func openingError(path: String) -> LocatedError? {
  do throws(LocatedError) {
    _ = try DumpFile(path: path)
    return nil
  } catch {
    return error
  }
}

extension DumpFile {
  /// The bytes at physical `address`; nil where they are not all there.
  func bytes(_ address: UInt64, _ count: Int) -> [UInt8]? {
    try? memory.bytes(at: PhysicalAddress(address), count: count)
  }

  /// Whether `bytes` are at physical `address`. To look for what differs would take hours where it is much.
  func holds(_ bytes: [UInt8], at address: UInt64) -> Bool { self.bytes(address, bytes.count) == bytes }

  /// The word at physical `address`; nil where it is not there.
  func word(_ address: UInt64) -> UInt64? { try? memory.word(at: PhysicalAddress(address)) }

  /// What a read of `count` bytes at `address` fails with; nil when it does not.
  func fault(_ address: UInt64, _ count: Int = 8) -> MemoryFault? {
    do throws(MemoryFault) {
      _ = try memory.bytes(at: PhysicalAddress(address), count: count)
      return nil
    } catch {
      return error
    }
  }

  /// Why the word at `address` cannot be read: the same by `read`, by `word` and, where the page need not be
  /// looked at to know it, by `absence`; nil when they differ or it can be read.
  func reason(_ address: UInt64) -> Absence? {
    let byRead = fault(address)
    var byWord: MemoryFault?
    do throws(MemoryFault) { _ = try memory.word(at: PhysicalAddress(address)) } catch { byWord = error }
    guard byRead == byWord, byRead?.address.rawValue == address else { return nil }
    let known = memory.absence(at: PhysicalAddress(address))
    return known == byRead?.absence || byRead?.absence == .damaged && known == nil ? byRead?.absence : nil
  }

  /// All that `scan` shows, by address, and whether it showed anything twice.
  func scanned() -> (memory: [UInt64: [UInt8]], hasDoubles: Bool) {
    let found = Collected()
    memory.scan { address, bytes in
      found.add(address.rawValue, bytes.withUnsafeBytes { Array($0) })
      return true
    }
    return (found.pieces, found.hasDoubles)
  }
}

/// Pieces of memory collected by several threads.
private final class Collected: @unchecked Sendable {
  private let lock = NSLock()
  private(set) var pieces: [UInt64: [UInt8]] = [:]
  private(set) var hasDoubles = false

  func add(_ address: UInt64, _ bytes: [UInt8]) {
    lock.withLock {
      if pieces.updateValue(bytes, forKey: address) != nil { hasDoubles = true }
    }
  }
}

/// Contents that differ from page to page and that every codec makes smaller.
func contents(_ number: UInt64, size: Int = 4096) -> [UInt8] {
  var generator = SeededGenerator(seed: number)
  let words = (0..<16).map { _ in generator.next() }
  let page: [UInt64] = (0..<(size / 8)).map { index in
    // The number of the word in the page now and then, so that a page cannot be shifted unseen.
    let word = index % 16 == 0 ? UInt64(index) | number << 16 : words[index % 16]
    return word.littleEndian
  }
  return page.withUnsafeBytes { Array($0) }
}
