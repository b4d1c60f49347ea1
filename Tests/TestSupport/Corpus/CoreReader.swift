import Foundation

/// Reads physical memory of a sound ELF64 core the plain way, to hold kva's answers against.
public struct CoreReader {
  /// A PT_LOAD: p_vaddr, p_paddr, p_offset, p_filesz, p_memsz.
  public struct Segment {
    /// p_vaddr.
    public let virtual: UInt64
    /// p_paddr.
    public let physical: UInt64
    /// p_offset.
    public let offset: UInt64
    /// p_filesz.
    public let fileSize: UInt64
    /// p_memsz.
    public let memorySize: UInt64
  }

  /// The PT_LOAD segments in the order of the headers.
  public let segments: [Segment]
  private let file: FileHandle

  /// Reads the program headers of `path`.
  public init(path: String) throws {
    file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    let header = try Self.read(file, 0, 64)
    let start = Self.integer(header, 32, 8)
    let count = Int(Self.integer(header, 56, 2))
    let headers = try Self.read(file, start, count * 56)
    segments = (0..<count).map { $0 * 56 }.filter { Self.integer(headers, $0, 4) == 1 }.map { at in
      Segment(
        virtual: Self.integer(headers, at + 16, 8), physical: Self.integer(headers, at + 24, 8),
        offset: Self.integer(headers, at + 8, 8),
        fileSize: Self.integer(headers, at + 32, 8), memorySize: Self.integer(headers, at + 40, 8))
    }
  }

  /// Where the file has the `count` bytes at physical `address`; nil where no segment holds all of them.
  public func offset(_ address: UInt64, _ count: Int) -> UInt64? {
    for segment in segments
    where address >= segment.physical && address - segment.physical + UInt64(count) <= segment.fileSize {
      return segment.offset + address - segment.physical
    }
    return nil
  }

  /// `count` bytes at physical `address`; nil where no segment holds all of them.
  public func bytes(_ address: UInt64, _ count: Int) throws -> [UInt8]? {
    try offset(address, count).map { try Self.read(file, $0, count) }
  }

  /// `count` bytes at virtual `address`; nil where no segment holds all of them.
  public func bytes(virtual address: UInt64, _ count: Int) throws -> [UInt8]? {
    let found = segments.first { address >= $0.virtual && address - $0.virtual + UInt64(count) <= $0.fileSize }
    return try found.map { try Self.read(file, $0.offset + address - $0.virtual, count) }
  }

  /// The word at physical `address`.
  public func word(_ address: UInt64) throws -> UInt64? {
    try bytes(address, 8).map { Self.integer($0, 0, 8) }
  }

  private static func read(_ file: FileHandle, _ offset: UInt64, _ count: Int) throws -> [UInt8] {
    try file.seek(toOffset: offset)
    let bytes = try file.read(upToCount: count) ?? Data()
    guard bytes.count == count else { throw TestSupportError("the file ends at \(offset)") }
    return Array(bytes)
  }

  private static func integer(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt64 {
    bytes[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
