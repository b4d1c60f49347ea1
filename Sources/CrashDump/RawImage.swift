import Bytes
import VMSA

/// Raw memory: one file or several, each the memory from some physical address on.
final class RawImage: DumpContainer {
  let notes = DumpNotes()
  /// Whether nobody said where the memory lies.
  let isAddressUnknown: Bool
  private let memory: SegmentedMemory
  private let isGuess: Bool
  private let pieces: [Piece]

  /// A file and where its memory begins.
  struct Piece: Sendable {
    var file: MappedFile
    var address: UInt64
  }

  /// Puts `pieces` where they are said to lie.
  ///
  /// - Throws: `LocatedError` where one passes the end of physical addresses.
  init(path: String, _ pieces: [Piece], isAddressUnknown: Bool = false, isGuess: Bool = false) throws(LocatedError) {
    let files = FileSet(path: path, pieces.map(\.file))
    var offset: UInt64 = 0
    var segments: [MemoryMap.Segment] = []
    for piece in pieces {
      let size = piece.file.byteCount
      let end: UInt64 = 1 << 52
      guard piece.address < end, size <= end - piece.address else {
        throw LocatedError(
          file: piece.file.path, kind: .malformed,
          "does not fit at " + String(piece.address, radix: 16) + ": physical addresses have 52 bits")
      }
      segments.append(
        MemoryMap.Segment(physical: piece.address, offset: offset, fileSize: size, memorySize: size))
      offset += size
    }
    let map = MemoryMap(segments: segments, fileCount: files.byteCount)
    let source = pieces.count == 1 ? DumpBytes.mapped(pieces[0].file) : .files(files)
    memory = SegmentedMemory(source: source, map: map)
    self.isAddressUnknown = isAddressUnknown
    self.isGuess = isGuess
    self.pieces = pieces
  }

  /// The same files from `address` on, one after another, which is a guess.
  func placed(at address: UInt64) throws(LocatedError) -> RawImage {
    var next = address
    var moved: [Piece] = []
    for piece in pieces {
      moved.append(Piece(file: piece.file, address: next))
      next &+= piece.file.byteCount
    }
    return try RawImage(path: memory.source.path, moved, isGuess: true)
  }

  /// Whether a file of no known format may be raw memory with an arm64 kernel in it: a kernel Image begins
  /// at a multiple of 64 KiB, or VMCOREINFO at one of 4 KiB.
  /// (Documentation/arch/arm64/booting.rst, "Call the kernel image")
  static func mayBe(_ file: MappedFile) -> Bool {
    guard file.byteCount >= 1 << 20 else { return false }
    let bytes = file.bytes
    // A kernel Image is no memory; memory that begins with one is far larger.
    if isImageHeader(bytes, 0) { return (bytes.integer(UInt64.self, at: 16) ?? 0) < file.byteCount / 2 }
    for offset in stride(from: 1 << 16, to: bytes.byteCount, by: 1 << 16) where isImageHeader(bytes, offset) {
      return true
    }
    for offset in stride(from: 0, to: bytes.byteCount, by: 4096) where bytes.hasBytes("OSRELEASE=", at: offset) {
      return true
    }
    return false
  }

  /// Whether an arm64 Image begins at `offset`: the magic, and an image size and flags that can be.
  static func isImageHeader(_ bytes: RawSpan, _ offset: Int) -> Bool {
    guard bytes.hasBytes("ARMd", at: offset + 56), let size = bytes.integer(UInt64.self, at: offset + 16),
      let flags = bytes.integer(UInt64.self, at: offset + 24)
    else { return false }
    return size < 1 << 30 && flags < 16
  }

  func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 { try memory.word(at: address) }
  func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
    try memory.read(address, into: &buffer)
  }
  func absence(at address: PhysicalAddress) -> Absence? { memory.absence(at: address) }
  func scan(_ body: @Sendable (PhysicalAddress, RawSpan) -> Bool) { memory.scan(body) }
  var ranges: [Range<PhysicalAddress>] { memory.map.ranges }

  var warnings: [String] {
    guard isGuess, let start = ranges.first?.lowerBound.rawValue else { return memory.warnings }
    let address = "0x\(String(start, radix: 16))"
    return memory.warnings + [
      "nobody said where this raw memory lies: \(address) is a guess by the kernel in it (say FILE@ADDRESS)"
    ]
  }

  var summary: DumpSummary {
    memory.summary(format: isAddressUnknown ? "raw, at an unknown address" : isGuess ? "raw, at a guess" : "raw")
  }
}
