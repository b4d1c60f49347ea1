/// Writes flattened files (`makedumpfile -F`): a header of 4096 bytes, then records, all numbers big-endian.
public struct FlattenedWriter: Sendable {
  /// One write: `struct makedumpfile_data_header` and the data.
  public struct Record: Sendable {
    /// Where the data belongs.
    public var offset: Int64
    /// How long the record says it is; as long as the data if nil.
    public var size: Int64?
    /// The data.
    public var data: [UInt8]

    /// Describes a record.
    public init(_ offset: Int64, _ data: [UInt8] = [], size: Int64? = nil) {
      self.offset = offset
      self.size = size
      self.data = data
    }
  }

  /// The first sixteen bytes.
  public var signature = Array("makedumpfile\0\0\0\0".utf8)
  /// type: 1 is "flat header".
  public var type: Int64 = 1
  /// version.
  public var version: Int64 = 1
  /// The records in the order of writing.
  public var records: [Record]
  /// Whether the end mark follows them.
  public var hasEndMark = true

  /// A file with these records.
  public init(_ records: [Record]) { self.records = records }

  /// `file` in records of `size` bytes and a shorter one.
  public init(_ file: [UInt8], recordSize size: Int) {
    records = stride(from: 0, to: file.count, by: size).map { start in
      Record(Int64(start), Array(file[start..<min(start + size, file.count)]))
    }
  }

  /// The file.
  public func bytes() -> [UInt8] {
    var file = signature + big(type) + big(version)
    file += .zeros(4096 - file.count)
    for record in records {
      file += big(record.offset) + big(record.size ?? Int64(record.data.count)) + record.data
    }
    return hasEndMark ? file + big(-1) + big(-1) : file
  }

  /// What the records make, written one after the other: zeros where nothing was written.
  public static func replay(_ records: [Record]) -> [UInt8] {
    var file: [UInt8] = []
    for record in records {
      let start = Int(record.offset)
      let end = start + record.data.count
      if file.count < end, !record.data.isEmpty { file += .zeros(end - file.count) }
      for (index, byte) in record.data.enumerated() { file[start + index] = byte }
    }
    return file
  }

  private func big(_ value: Int64) -> [UInt8] { [UInt8](little: value).reversed() }
}
