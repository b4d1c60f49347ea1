/// Writes LiME files: 32 bytes before each range, little-endian.
public struct LiMEWriter: Sendable {
  /// A range of System RAM.
  public struct Range: Sendable {
    /// s_addr.
    public var start: UInt64
    /// e_addr, inclusive; where the contents end if nil.
    public var last: UInt64?
    /// What stands in the file.
    public var contents: [UInt8]
    /// magic.
    public var magic: UInt32 = 0x4c69_4d45
    /// version.
    public var version: UInt32 = 1

    /// Describes a range.
    public init(_ start: UInt64, _ contents: [UInt8], last: UInt64? = nil) {
      self.start = start
      self.last = last
      self.contents = contents
    }
  }

  /// The ranges in the order of writing.
  public var ranges: [Range]

  /// A file with these ranges.
  public init(_ ranges: [Range]) { self.ranges = ranges }

  /// The file.
  public func bytes() -> [UInt8] {
    var file: [UInt8] = []
    for range in ranges {
      let last = range.last ?? range.start + UInt64(range.contents.count) - 1
      file += [UInt8](little: range.magic) + [UInt8](little: range.version)
      file += [UInt8](little: range.start) + [UInt8](little: last) + .zeros(8) + range.contents
    }
    return file
  }
}
