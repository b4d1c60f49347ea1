import Bytes
import CElf

/// A copy of an ELF file with uncompressed sections, made for libdw, which would otherwise uncompress each into memory,
/// and change the headers accordingly.
///
///     ELF header | sections, one after another | section headers
///
/// It is a temporary file, so that memory holds only the parts in use. Loaded sections are left out, as by `objcopy
/// --only-keep-debug`.
struct UnpackedImage: ~Copyable {
  private let original: ELFImage
  private let file: TemporaryFile
  /// The size of the copy so far, and its limit.
  private var end = UInt64(headerSize)
  private let limit: UInt64
  /// The section headers of the copy.
  private var headers: [UInt8] = []

  private static let headerSize = MemoryLayout<Elf64_Ehdr>.size
  private static let sectionHeaderSize = MemoryLayout<Elf64_Shdr>.size
  /// Bytes copied at once.
  private static let pieceBytes: UInt64 = 16 << 20

  /// Gives `body` the copy of `original`, whose path is valid until it returns; the copy itself lives as long as it is
  /// held.
  ///
  /// - Throws: `LocatedError` if a section is damaged, has an unknown compression method, or claims an implausible
  ///   size, or there is no room for the copy; and what `body` throws.
  static func of<R: ~Copyable>(
    _ original: ELFImage, _ body: (ELFImage) throws(LocatedError) -> R
  ) throws(LocatedError) -> R {
    var copy = UnpackedImage(original, try TemporaryFile())
    try copy.fill()
    return try body(try ELFImage(path: copy.file.path))
  }

  private init(_ original: ELFImage, _ file: consuming TemporaryFile) {
    self.original = original
    self.file = file
    limit = min(Limits.debugBytes, original.file.byteCount &* Limits.debugRatio)
  }

  private mutating func fill() throws(LocatedError) {
    let source = original.file
    let sections = original.sections
    guard var header = source.bytes(0..<UInt64(Self.headerSize), limit: Self.headerSize),
      let table = source.integer(UInt64.self, at: 40), let short = source.integer(UInt16.self, at: 62),
      let range = source.range(at: table, count: UInt64(sections.count * Self.sectionHeaderSize)),
      let headers = source.bytes(range, limit: Limits.sections * Self.sectionHeaderSize)
    else {
      throw LocatedError(file: source.path, offset: 40, kind: .malformed, "its section headers are damaged")
    }
    self.headers = headers
    // The section names come last, once it is known which are needed.
    let names = short == UInt16(SHN_XINDEX) ? sections.first?.link ?? 0 : Int(short)
    var moreNames: [UInt8] = []
    for (number, section) in sections.enumerated() where number != names {
      try add(section, number)
      guard section.isKept, let name = section.unpackedName, sections.indices.contains(names) else { continue }
      let place = sections[names].size &+ UInt64(moreNames.count)
      self.headers.store(UInt32(truncatingIfNeeded: place), at: number * Self.sectionHeaderSize)  // sh_name
      moreNames += name.utf8 + [0]
    }
    if sections.indices.contains(names) { try add(sections[names], names, and: moreNames) }

    end = (end + 15) & ~15
    header.store(UInt64(0), at: 32)  // e_phoff
    header.store(end, at: 40)  // e_shoff
    header.store(UInt16(0), at: 56)  // e_phnum
    try file.write(header.rawSpan, at: 0)
    try file.write(self.headers.rawSpan, at: end)
  }

  /// Copies the content of section `number` and changes its header to say where it is.
  private mutating func add(_ section: ELFImage.Section, _ number: Int, and more: [UInt8] = []) throws(LocatedError) {
    let header = number * Self.sectionHeaderSize
    guard section.isKept else {
      if section.type != UInt32(SHT_NULL) { headers.store(UInt32(SHT_NOBITS), at: header + 4) }
      return
    }
    let packed = try PackedSection(section, in: original.file)
    let size = packed?.size ?? section.size
    end = (end + 15) & ~15
    guard end <= limit, size <= limit - end else {
      throw LocatedError(
        file: original.path, offset: section.offset, kind: .malformed,
        "section \(section.name) claims \(size) bytes when unpacked, too many for debug information in a file of this "
          + "size; if they are true, unpack it: objcopy --decompress-debug-sections")
    }
    headers.store(end, at: header + 24)  // sh_offset
    headers.store(size + UInt64(more.count), at: header + 32)  // sh_size
    if let packed {
      headers.store(section.flags & ~UInt64(SHF_COMPRESSED), at: header + 8)  // sh_flags
      headers.store(packed.alignment, at: header + 48)  // sh_addralign
      try unpack(packed, section)
    } else {
      try copy(original.range(of: section))
    }
    try file.write(more.rawSpan, at: end)
    end += UInt64(more.count)
  }

  private mutating func unpack(_ packed: PackedSection, _ section: ELFImage.Section) throws(LocatedError) {
    var failure: LocatedError?
    var position = end
    let isWhole = packed.unpack(original.file) { piece in
      do throws(LocatedError) {
        try file.write(piece, at: position)
      } catch {
        failure = error
        return false
      }
      position += UInt64(piece.byteCount)
      return true
    }
    if let failure { throw failure }
    guard isWhole else {
      throw LocatedError(
        file: original.path, offset: section.offset, kind: .malformed,
        "section \(section.name) is damaged: it does not unpack to the \(packed.size) bytes that it claims")
    }
    end = position
    original.file.forget(packed.content)
  }

  private mutating func copy(_ range: Range<UInt64>) throws(LocatedError) {
    let source = original.file
    var start = range.lowerBound
    while start < range.upperBound {
      let piece = start..<min(range.upperBound, start + Self.pieceBytes)
      try file.write(source.bytes.extracting(Int(piece.lowerBound)..<Int(piece.upperBound)), at: end)
      source.forget(piece)
      end += piece.upperBound - piece.lowerBound
      start = piece.upperBound
    }
  }
}

extension ELFImage.Section {
  /// Whether it has content that is not loaded.
  fileprivate var isKept: Bool {
    type != UInt32(SHT_NULL) && type != UInt32(SHT_NOBITS) && flags & UInt64(SHF_ALLOC) == 0
  }

  /// Its name once uncompressed, if different.
  fileprivate var unpackedName: String? { name.hasPrefix(".zdebug") ? "." + name.dropFirst(2) : nil }
}

extension [UInt8] {
  /// Writes `value`, little-endian, at `offset`, if there is room.
  fileprivate mutating func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    for index in 0..<MemoryLayout<T>.size { self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
  }
}
