import Glibc

/// Where a sparse file has data: one copied without its zeros, or one far larger than what was written.
struct FileHoles: Sendable {
  /// SEEK_DATA and SEEK_HOLE. (include/uapi/linux/fs.h)
  private static let seekData: Int32 = 3
  private static let seekHole: Int32 = 4

  private let path: String
  private let identity: FileIdentity

  /// Remembers which file `path` is; nil if it has no holes.
  init?(_ path: String, _ status: stat) {
    // st_blocks counts blocks of 512 bytes, whatever the file system. (stat(2))
    guard status.st_size > 0, Int(status.st_blocks) < (Int(status.st_size) - 1) / 512 else { return nil }
    self.path = path
    identity = FileIdentity(status)
  }

  /// The parts of `range` that are no holes, in order; all of it if the file system does not say, and all the rest
  /// after `Limits.fileHoles` of them.
  func written(_ range: Range<UInt64>) -> [Range<UInt64>] {
    guard let end = Int(exactly: range.upperBound), let (descriptor, status) = try? SystemFile.open(path) else {
      return [range]
    }
    defer { close(descriptor) }
    guard FileIdentity(status) == identity else { return [range] }
    var result: [Range<UInt64>] = []
    var here = Int(range.lowerBound)
    while here < end {
      let data = result.count < Limits.fileHoles ? lseek(descriptor, here, Self.seekData) : here
      // ENXIO: only a hole up to the end of the file.
      if data < 0, errno == ENXIO { break }
      let hole = result.count < Limits.fileHoles ? lseek(descriptor, max(data, here), Self.seekHole) : end
      guard data >= here, hole > data else { return result + [UInt64(here)..<UInt64(end)] }
      if data < end { result.append(UInt64(data)..<UInt64(min(hole, end))) }
      here = hole
    }
    return result
  }
}
