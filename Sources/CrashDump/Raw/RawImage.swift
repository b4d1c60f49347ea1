import Bytes
import VMSA

/// Raw memory: one file or several, each the memory from some physical address.
final class RawImage: SegmentedContainer {
  let notes = DumpNotes()
  /// Whether no load address was given.
  let isAddressUnknown: Bool
  let memory: SegmentedMemory
  private let isGuess: Bool
  private let pieces: [Piece]

  /// A file and where its memory begins.
  struct Piece: Sendable {
    var file: DumpBytes
    var address: UInt64
    /// The bytes of the file that are the memory.
    var part: Range<UInt64>
    var size: UInt64 { part.upperBound - part.lowerBound }

    /// - Parameter part: all of the file if it is nil.
    init(file: DumpBytes, address: UInt64, part: Range<UInt64>? = nil) {
      self.file = file
      self.address = address
      self.part = part ?? 0..<file.byteCount
    }
  }

  /// Places `pieces` at their addresses.
  ///
  /// - Throws: `LocatedError` if one runs past the end of physical addresses.
  init(path: String, _ pieces: [Piece], isAddressUnknown: Bool = false, isGuess: Bool = false) throws(LocatedError) {
    var offset: UInt64 = 0
    var segments: [MemoryMap.Segment] = []
    for piece in pieces {
      let size = piece.size
      let end: UInt64 = 1 << 52
      guard piece.address < end, size <= end - piece.address else {
        throw LocatedError(
          file: piece.file.path, kind: .malformed,
          "does not fit at " + String(piece.address, radix: 16) + ": physical addresses have 52 bits")
      }
      segments.append(
        MemoryMap.Segment(
          physical: piece.address, offset: offset &+ piece.part.lowerBound, fileSize: size, memorySize: size))
      offset &+= piece.file.byteCount
    }
    let files = FileSet(path: path, pieces.map(\.file))
    let map = MemoryMap(segments: segments, fileCount: files.byteCount)
    let source = pieces.count == 1 ? pieces[0].file : DumpBytes.files(files)
    memory = SegmentedMemory(source: source, map: map)
    self.isAddressUnknown = isAddressUnknown
    self.isGuess = isGuess
    self.pieces = pieces
  }

  /// The same files at `address`, one after another; the address is a guess.
  func placed(at address: UInt64) throws(LocatedError) -> RawImage {
    var next = address
    var moved: [Piece] = []
    for piece in pieces {
      moved.append(Piece(file: piece.file, address: next, part: piece.part))
      next &+= piece.size
    }
    return try RawImage(path: memory.source.path, moved, isGuess: true)
  }

  /// Where each piece lies; empty if unknown.
  var placedParts: [Range<UInt64>] {
    isAddressUnknown || isGuess ? [] : pieces.map { $0.address..<($0.address + $0.size) }
  }

  /// Whether a file of no known format may be raw memory with an arm64 kernel in it: a kernel Image begins
  /// at a multiple of 64 KiB, or VMCOREINFO or a page of table entries at one of 4 KiB.
  /// (Documentation/arch/arm64/booting.rst, "Call the kernel image")
  static func mayBe(_ file: DumpBytes) -> Bool {
    guard file.byteCount >= 1 << 20 else { return false }
    func imageSize(_ offset: UInt64) -> UInt64? {
      file.withBytes(offset..<(offset + 64)) { isImageHeader($0, 0) ? $0.integer(UInt64.self, at: 16) : nil } ?? nil
    }
    // A kernel Image by itself is not memory; memory that begins with one is far larger.
    if let size = imageSize(0) { return size < file.byteCount / 2 }
    for offset in stride(from: UInt64(1) << 16, through: file.byteCount - 64, by: 1 << 16)
    where imageSize(offset) != nil {
      return true
    }
    for offset in stride(from: UInt64(0), through: file.byteCount - 4096, by: 4096)
    where file.withBytes(offset..<(offset + 4096), { $0.hasBytes("OSRELEASE=", at: 0) || isTable($0, 0) }) == true {
      return true
    }
    return false
  }

  /// Whether the 4 KiB at `offset` are table descriptors, at least two, and zeros.
  private static func isTable(_ bytes: RawSpan, _ offset: Int) -> Bool {
    let bits = DescriptorFormat.anyTableBits
    var tables = 0
    for place in stride(from: offset, to: offset + 4096, by: 8) {
      guard let word = bytes.integer(UInt64.self, at: place), word != 0 else { continue }
      guard Descriptor(rawValue: word).isPlainTable(bits) else { return false }
      tables += 1
    }
    return tables > 1
  }

  /// Whether an arm64 Image begins at `offset`: the magic, and a plausible image size and flags.
  static func isImageHeader(_ bytes: RawSpan, _ offset: Int) -> Bool {
    guard bytes.hasBytes("ARMd", at: offset + 56), let size = bytes.integer(UInt64.self, at: offset + 16),
      let flags = bytes.integer(UInt64.self, at: offset + 24)
    else { return false }
    return size < 1 << 30 && flags < 16
  }

  var warnings: [Diagnostic] {
    let warnings =
      memory.warnings
      + memory.conflicts(limit: Limits.comparedBytes) { segment in
        "\(pieces.first { $0.address == segment.physical && $0.size == segment.fileSize }?.file.path ?? "") at "
          + segment.name
      }
    guard isGuess, let start = ranges.first?.lowerBound.rawValue else { return warnings }
    let address = hex(start)
    return warnings + [
      Diagnostic(
        .addressGuessed, address,
        "nobody said where this raw memory lies: \(address) is a guess by the kernel in it (say FILE@ADDRESS)")
    ]
  }

  var summary: DumpSummary {
    memory.summary(format: isAddressUnknown ? "raw, at an unknown address" : isGuess ? "raw, at a guess" : "raw")
  }
}
