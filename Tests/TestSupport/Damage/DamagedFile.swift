import Foundation

/// A file that is damaged again and again, and mended in between: no copy is made for each damage.
public final class DamagedFile {
  /// Its path.
  public let path: String
  /// Its length.
  public let count: Int
  private let file: FileHandle

  /// Copies the file at `original` to `path`.
  public init(copyOf original: String, at path: String) throws {
    try FileManager.default.copyItem(atPath: original, toPath: path)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    self.path = path
    file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    count = Int(try file.seekToEnd())
  }

  /// `count` bytes at `offset`.
  public func bytes(_ offset: Int, _ count: Int) throws -> [UInt8] {
    try file.seek(toOffset: UInt64(offset))
    return Array(try file.read(upToCount: count) ?? Data())
  }

  /// Puts `bytes` at `offset`, calls `body`, and puts back what was there.
  public func with<R>(_ bytes: [UInt8], at offset: Int, _ body: () throws -> R) throws -> R {
    let before = try self.bytes(offset, bytes.count)
    try write(bytes, offset)
    defer { try? write(before, offset) }
    return try body()
  }

  /// Cuts the file to `size`, for good.
  public func truncate(to size: Int) throws { try file.truncate(atOffset: UInt64(size)) }

  private func write(_ bytes: [UInt8], _ offset: Int) throws {
    try file.seek(toOffset: UInt64(offset))
    try file.write(contentsOf: bytes)
  }

  /// The little-endian number of `size` bytes at `offset`.
  public func number(_ offset: Int, _ size: Int) throws -> UInt64 {
    try bytes(offset, size).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
