import Bytes

/// A flattened dump (`makedumpfile -F`, QEMU's kdump formats): a file stored as the sequence of writes that made it. It
/// is read in place, through an index of the last write of each byte.
///
/// Bytes that no record wrote are zeros, as `makedumpfile -R` leaves them; if the file is cut short they are missing,
/// since a lost record may have held them.
///
///     header, 4096 bytes: "makedumpfile\0\0\0\0" | type i64 = 1 | version i64 = 1 | zeros
///     record: offset i64 | size i64 | data          all big-endian
///     end:    offset = size = -1
///
/// (makedumpfile, makedumpfile.h: `struct makedumpfile_header`, `struct makedumpfile_data_header`)
final class FlattenedFile: ByteSource {
  /// Bytes of the dump that are contiguous in the file.
  private struct Piece {
    var start: UInt64
    var end: UInt64
    /// Where they are in the flattened file.
    var position: UInt64
  }

  let path: String
  let byteCount: UInt64
  /// Whether the last record is not the end mark: the file is cut short.
  let isCutShort: Bool
  private let file: DumpBytes
  private let pieces: [Piece]

  static let headerSize: UInt64 = 4096

  /// Whether a file begins like a flattened dump, including the padding of the signature.
  static func recognises(_ bytes: RawSpan) -> Bool { bytes.hasBytes("makedumpfile\0\0\0\0", at: 0) }

  /// Reads the header of each record of `file`.
  ///
  /// - Throws: `LocatedError` for another version, a malformed record, or too many of them.
  init(_ file: DumpBytes) throws(LocatedError) {
    func fail(_ offset: UInt64, _ kind: LocatedError.Kind, _ message: String) -> LocatedError {
      LocatedError(file: file.path, offset: offset, kind: kind, message)
    }
    func field(_ offset: UInt64) -> Int64? {
      file.integer(UInt64.self, at: offset).map { Int64(bitPattern: $0.byteSwapped) }
    }
    guard let type = field(16), let version = field(24), file.byteCount >= Self.headerSize else {
      throw fail(0, .truncated, "the file ends within its header; copy it again")
    }
    guard type == 1, version == 1 else {
      throw fail(16, .unsupported, "is a flattened dump of type \(type), version \(version); only 1 and 1 are known")
    }
    var records: [Piece] = []
    var position = Self.headerSize
    var sawEnd = false
    while let offset = field(position), let size = field(position + 8) {
      if offset == -1, size == -1 {
        sawEnd = true
        break
      }
      guard offset >= 0, size >= 0, offset <= Int64.max - size else {
        throw fail(position, .malformed, "a record of \(size) bytes for offset \(offset) cannot be; it is damaged")
      }
      position += 16
      let stored = min(UInt64(size), file.byteCount - position)
      if stored > 0 {
        guard records.count < Limits.flattenedRecords else {
          throw fail(
            position, .unsupported,
            "has more than \(Limits.flattenedRecords) records; make it a plain dump first (makedumpfile -R)")
        }
        records.append(Piece(start: UInt64(offset), end: UInt64(offset) + stored, position: position))
      }
      position += stored
      if stored < UInt64(size) { break }
    }
    guard !records.isEmpty else { throw fail(Self.headerSize, .truncated, "holds no records; copy it again") }
    self.file = file
    path = file.path
    pieces = Self.latest(records)
    byteCount = pieces.last?.end ?? 0
    isCutShort = !sawEnd
    let written = pieces.reduce(UInt64(0)) { $0 + ($1.end - $1.start) }
    guard isCutShort || byteCount - written <= Limits.flattenedGaps else {
      throw fail(
        Self.headerSize, .malformed,
        "its records leave \(byteCount - written) bytes of the dump unwritten; one of their offsets is damaged")
    }
  }

  /// Where each byte was written last, in the order of the dump. `records` are in the order of writing.
  ///
  /// One sweep over the records by their start, with a heap of those that reach further: O(n log n).
  private static func latest(_ records: [Piece]) -> [Piece] {
    // Most files are written sequentially.
    if zip(records, records.dropFirst()).allSatisfy({ $0.end <= $1.start }) { return records }
    let order = records.indices.map { UInt32(truncatingIfNeeded: $0) }.sorted {
      records[Int($0)].start < records[Int($1)].start
    }
    var result: [Piece] = []
    var open = MaxHeap()
    var next = 0
    var here: UInt64 = 0
    while next < order.count || !open.isEmpty {
      while let top = open.first, records[top].end <= here { open.removeFirst() }
      guard let top = open.first else {
        guard next < order.count else { break }
        here = max(here, records[Int(order[next])].start)
        while next < order.count, records[Int(order[next])].start <= here {
          open.insert(Int(order[next]))
          next += 1
        }
        continue
      }
      // The newest record has the bytes up to its end, or to where a newer one begins.
      var end = records[top].end
      while next < order.count, records[Int(order[next])].start < end {
        let candidate = Int(order[next])
        next += 1
        open.insert(candidate)
        if candidate > top {
          end = records[candidate].start
          break
        }
      }
      if here < end {
        let position = records[top].position + (here - records[top].start)
        if let last = result.last, last.end == here, last.position + (last.end - last.start) == position {
          result[result.count - 1].end = end
        } else {
          result.append(Piece(start: here, end: end, position: position))
        }
        here = end
      }
    }
    return result
  }

  /// The number of the first piece that ends beyond `offset`.
  private func index(at offset: UInt64) -> Int { pieces.partitioningIndex { $0.end > offset } }

  /// Where `count` bytes at `offset` are contiguous in the file; nil if they are not.
  private func position(at offset: UInt64, count: UInt64) -> UInt64? {
    let index = index(at: offset)
    guard index < pieces.count else { return nil }
    let piece = pieces[index]
    guard piece.start <= offset, count <= piece.end - offset else { return nil }
    return piece.position + (offset - piece.start)
  }

  func range(at offset: UInt64, count: UInt64) -> Range<UInt64>? {
    let (end, overflow) = offset.addingReportingOverflow(count)
    guard !overflow, end <= byteCount else { return nil }
    guard isCutShort else { return offset..<end }
    var here = offset
    var index = index(at: offset)
    while here < end {
      guard index < pieces.count, pieces[index].start <= here else { return nil }
      here = pieces[index].end
      index += 1
    }
    return offset..<end
  }

  func word(at offset: UInt64) -> UInt64? {
    if let position = position(at: offset, count: 8) { return file.word(at: position) }
    return withBytes(offset..<(offset &+ 8 < offset ? offset : offset + 8)) { $0.integer(UInt64.self, at: 0) } ?? nil
  }

  func copy(_ offset: UInt64, count: Int, into buffer: inout MutableRawSpan, at position: Int) -> Bool {
    guard count >= 0, position >= 0, position <= buffer.byteCount, count <= buffer.byteCount - position else {
      return false
    }
    var done = 0
    var index = index(at: offset)
    while done < count {
      let here = offset &+ UInt64(done)
      guard index < pieces.count else { return false }
      guard pieces[index].start <= here else {
        guard !isCutShort else { return false }
        let gap = Int(min(UInt64(count - done), pieces[index].start - here))
        guard buffer.clear(at: position + done, count: gap) else { return false }
        done += gap
        continue
      }
      let part = Int(min(UInt64(count - done), pieces[index].end - here))
      let from = pieces[index].position + (here - pieces[index].start)
      guard file.copy(from, count: part, into: &buffer, at: position + done) else { return false }
      done += part
      index += 1
    }
    return true
  }

  func withBytes<R>(_ range: Range<UInt64>, _ body: (RawSpan) -> R) -> R? {
    let count = range.upperBound - range.lowerBound
    if let position = position(at: range.lowerBound, count: count) {
      return file.withBytes(position..<(position + count), body)
    }
    return withCopy(of: range, body)
  }

  func written(_ range: Range<UInt64>) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    for piece in pieces[index(at: range.lowerBound)...] {
      guard piece.start < range.upperBound else { break }
      let start = max(piece.start, range.lowerBound)
      let end = min(piece.end, range.upperBound)
      if let last = result.last, last.upperBound == start {
        result[result.count - 1] = last.lowerBound..<end
      } else {
        result.append(start..<end)
      }
    }
    return result
  }

  func forget(_ range: Range<UInt64>) {
    for index in index(at: range.lowerBound)..<pieces.count {
      let piece = pieces[index]
      guard piece.start < range.upperBound else { return }
      file.forget(piece.position..<(piece.position + (piece.end - piece.start)))
    }
  }
}

/// A priority queue, largest first.
private struct MaxHeap {
  private var items: [Int] = []
  var isEmpty: Bool { items.isEmpty }
  var first: Int? { items.first }

  mutating func insert(_ item: Int) {
    items.append(item)
    var child = items.count - 1
    while child > 0, items[(child - 1) / 2] < items[child] {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func removeFirst() {
    guard let last = items.popLast(), !items.isEmpty else { return }
    items[0] = last
    var parent = 0
    while true {
      var largest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < items.count && items[child] > items[largest] {
        largest = child
      }
      if largest == parent { return }
      items.swapAt(parent, largest)
      parent = largest
    }
  }
}
