import Foundation

/// Writes kdump-compressed files, byte by byte: true ones and ones whose fields lie.
///
///     block 0                disk_dump_header
///     block 1                kdump_sub_header, at 112 the notes, then the VMCOREINFO text
///     block 1 + sub_hdr_size bitmap of the frames that exist, bitmap of the frames that were dumped
///     then                   24 bytes for each frame dumped | the page of zeros | the pages
public struct KdumpWriter: Sendable {
  /// What becomes of a frame. One that is not named did not exist.
  public enum Page: Sendable {
    /// Dumped with these contents, packed by the codec.
    case kept([UInt8], KdumpCodec)
    /// Dumped, and all zeros: its descriptor is that of the one page of zeros.
    case zero
    /// Left out when the dump was written.
    case filtered
    /// Dumped, but lost for want of space: its descriptor is all zeros.
    case lost
    /// Dumped, with these bytes and flags in the file, whatever they are.
    case stored([UInt8], flags: UInt32)
    /// Dumped, with this descriptor and nothing else in the file.
    case described(offset: UInt64, size: UInt32, flags: UInt32)
    /// Dumped though the first bitmap says that it did not exist.
    case keptUnlisted([UInt8])
  }

  /// The first eight bytes.
  public var signature = "KDUMP   "
  /// header_version.
  public var version: UInt32 = 6
  /// utsname.nodename, by which dumps of two machines differ.
  public var nodename = "test"
  /// utsname.machine.
  public var machine = "aarch64"
  /// What makedumpfile lists as erased: from version 5 on.
  public var eraseInfo = ""
  /// Bytes between the descriptors and the pages, as a writer leaves them that aligns pages to blocks.
  public var gap: UInt64 = 0
  /// tv_sec of the timestamp.
  public var timestamp: UInt64 = 1_700_000_000
  /// status: the codecs that were used, and 8 for an incomplete dump.
  public var status: UInt32 = 0
  /// block_size.
  public var blockSize: UInt64 = 4096
  /// dump_level.
  public var dumpLevel: UInt32 = 31
  /// max_mapnr.
  public var frameCount: UInt64
  /// The frames of this file, where it is one of several.
  public var part: Range<UInt64>?
  /// The ELF notes: from version 4 on.
  public var notes: [UInt8] = []
  /// The VMCOREINFO text: from version 3 on.
  public var vmcoreinfo = ""
  /// What the fields of the sub-header are filled with that the version does not have yet.
  public var fill: UInt8 = 0
  /// Whether there is the second bitmap only, as in very old files.
  public var hasOneBitmap = false
  /// The frames.
  public var pages: [UInt64: Page] = [:]
  /// Bytes written over the finished file, wherever they belong.
  public var patches: [(offset: UInt64, bytes: [UInt8])] = []

  /// A dump of the frames below `frameCount`.
  public init(frameCount: UInt64, _ pages: [UInt64: Page] = [:]) {
    self.frameCount = frameCount
    self.pages = pages
  }

  // MARK: - Layout

  /// Bytes of one bitmap, in whole blocks.
  public var bitmapSize: UInt64 { ((frameCount + 7) / 8 + blockSize - 1) / blockSize * blockSize }
  /// Where the first bitmap is.
  public var bitmapOffset: UInt64 { (1 + subHeaderBlocks) * blockSize }
  /// Where the first descriptor is.
  public var descriptorsOffset: UInt64 { bitmapOffset + bitmapSize * (hasOneBitmap ? 1 : 2) }
  /// Where the descriptor of the frame `number`, which is dumped, is.
  public func descriptorOffset(_ number: UInt64) -> UInt64 {
    descriptorsOffset + 24 * UInt64(described.count { $0 < number })
  }

  private var subHeaderBlocks: UInt64 {
    (UInt64(112 + notes.count + vmcoreinfo.utf8.count + eraseInfo.utf8.count) + blockSize - 1) / blockSize
  }

  /// The frames that the second bitmap names, in order.
  private var dumped: [UInt64] {
    pages.filter { if case .filtered = $0.value { false } else { true } }.keys.sorted()
  }

  /// The frames that this file has descriptors for, in order.
  private var described: [UInt64] { dumped.filter { part?.contains($0) ?? true } }

  // MARK: - Writing

  /// The file.
  public func bytes() -> [UInt8] {
    let pieces = pieces()
    var file = [UInt8](repeating: 0, count: Int(pieces.map { $0.offset + UInt64($0.bytes.count) }.max() ?? 0))
    for piece in pieces where !piece.bytes.isEmpty {
      file.replaceSubrange(Int(piece.offset)..<(Int(piece.offset) + piece.bytes.count), with: piece.bytes)
    }
    return file
  }

  /// Writes the file; what is all zeros between its pieces takes no space.
  public func write(to path: String) throws {
    try Data().write(to: URL(fileURLWithPath: path))
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    defer { try? file.close() }
    for piece in pieces() where !piece.bytes.isEmpty {
      try file.seek(toOffset: piece.offset)
      try file.write(contentsOf: piece.bytes)
    }
  }

  /// What is written and where, in this order.
  public func pieces() -> [(offset: UInt64, bytes: [UInt8])] {
    var pieces: [(offset: UInt64, bytes: [UInt8])] = [(0, header()), (blockSize, subHeader())]
    let existing = pages.filter { if case .keptUnlisted = $0.value { false } else { true } }.keys.sorted()
    if !hasOneBitmap { pieces += bitmap(existing, at: bitmapOffset) }
    pieces += bitmap(dumped, at: descriptorsOffset - bitmapSize)

    let frames = described
    // A part leaves room for the descriptors of all.
    let zeroPage = descriptorsOffset + 24 * UInt64(part == nil ? frames.count : dumped.count) + gap
    var next = zeroPage + blockSize
    var descriptors: [UInt8] = []
    var contents: [UInt8] = .zeros(Int(blockSize))
    for frame in frames {
      guard let page = pages[frame] else { continue }
      var stored: [UInt8] = []
      let fields: (offset: UInt64, size: UInt32, flags: UInt32)
      switch page {
      case .filtered: continue
      case .zero: fields = (zeroPage, UInt32(blockSize), 0)
      case .lost: fields = (0, 0, 0)
      case .described(let offset, let size, let flags): fields = (offset, size, flags)
      case .kept(let bytes, let codec):
        stored = codec.pack(bytes)
        fields = (next, UInt32(stored.count), codec.flag)
      case .stored(let bytes, let flags):
        stored = bytes
        fields = (next, UInt32(stored.count), flags)
      case .keptUnlisted(let bytes):
        stored = bytes
        fields = (next, UInt32(stored.count), 0)
      }
      descriptors += [UInt8](little: fields.offset) + [UInt8](little: fields.size) + [UInt8](little: fields.flags)
      descriptors += .zeros(8)
      contents += stored
      next += UInt64(stored.count)
    }
    return pieces + [(descriptorsOffset, descriptors), (zeroPage, contents)] + patches
  }

  /// `struct disk_dump_header`: utsname is at 12, the timestamp at 408, status at 424.
  private func header() -> [UInt8] {
    func name(_ text: String) -> [UInt8] { Array(text.utf8) + .zeros(65 - text.utf8.count) }
    var header = Array(signature.utf8) + [UInt8](little: version)
    header += ["Linux", nodename, "6.1.0-test", "#1 SMP", machine, ""].flatMap(name)
    header += .zeros(408 - header.count)
    header += [UInt8](little: timestamp) + [UInt8](little: UInt64(0))
    header += [UInt8](little: status) + [UInt8](little: UInt32(blockSize))
    header += [UInt8](little: UInt32(subHeaderBlocks))
    header += [UInt8](little: UInt32(bitmapSize * (hasOneBitmap ? 1 : 2) / blockSize))
    header += [UInt8](little: UInt32(clamping: frameCount))
    // total_ram_blocks, device_blocks, written_blocks, current_cpu, nr_cpus.
    header += [UInt32(clamping: frameCount), 0, UInt32(described.count), 0, 1].flatMap { [UInt8](little: $0) }
    return header
  }

  /// `struct kdump_sub_header`, as much of it as the version has, and what it points to.
  private func subHeader() -> [UInt8] {
    let notesOffset = blockSize + 112
    let vmcoreinfoOffset = notesOffset + UInt64(notes.count)
    let start = part?.lowerBound ?? 0
    let end = part?.upperBound ?? 0
    // phys_base and dump_level are of version 1.
    var sub = [UInt8](little: UInt64(0x4000_0000)) + [UInt8](little: dumpLevel)
    if version >= 2 {
      sub += [UInt8](little: UInt32(part == nil ? 0 : 1))
      // From version 6 on the words at 80 count, and these are not used.
      sub += [UInt8](little: version >= 6 ? 0 : start) + [UInt8](little: version >= 6 ? 0 : end)
    }
    if version >= 3 {
      sub += [UInt8](little: vmcoreinfo.isEmpty ? 0 : vmcoreinfoOffset) + [UInt8](little: UInt64(vmcoreinfo.utf8.count))
    }
    if version >= 4 {
      sub += [UInt8](little: notes.isEmpty ? 0 : notesOffset) + [UInt8](little: UInt64(notes.count))
    }
    if version >= 5 {
      let offset = vmcoreinfoOffset + UInt64(vmcoreinfo.utf8.count)
      sub += [UInt8](little: eraseInfo.isEmpty ? 0 : offset) + [UInt8](little: UInt64(eraseInfo.utf8.count))
    }
    if version >= 6 { sub += [UInt8](little: start) + [UInt8](little: end) + [UInt8](little: frameCount) }
    sub += [UInt8](repeating: fill, count: 112 - sub.count)
    return sub + notes + Array(vmcoreinfo.utf8) + Array(eraseInfo.utf8)
  }

  /// The bits of `frames`, in pieces of 4 KiB where one is set, and the last byte.
  private func bitmap(_ frames: [UInt64], at offset: UInt64) -> [(offset: UInt64, bytes: [UInt8])] {
    var pieces: [UInt64: [UInt8]] = [:]
    let piece: UInt64 = 4096
    for frame in frames where frame < bitmapSize * 8 {
      let place = frame / 8 / piece
      let size = Int(min(piece, bitmapSize - place * piece))
      pieces[place, default: .zeros(size)][Int(frame / 8 % piece)] |= 1 << UInt8(frame % 8)
    }
    let set = pieces.sorted { $0.key < $1.key }.map { (offset: offset + $0.key * piece, bytes: $0.value) }
    let last = pieces[(bitmapSize - 1) / piece] == nil ? [(offset: offset + bitmapSize - 1, bytes: [UInt8(0)])] : []
    return set + last
  }
}
