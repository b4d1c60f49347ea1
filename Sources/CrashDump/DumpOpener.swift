import Bytes
import ELF
import Glibc

/// Decides, in one place, what a path means and which format a file has.
struct DumpOpener {
  let cacheSize: Int
  let isMapped: Bool

  /// The bytes of the file at `path`.
  private func bytes(_ path: String) throws(LocatedError) -> DumpBytes {
    if isMapped { return .mapped(try MappedFile(path: path)) }
    let file = try UnmappedFile(path: path)
    guard file.byteCount < UInt64(Int64.max) else { return .unmapped(file) }
    return .cached(CachedFile(file))
  }

  /// Opens what `path` names.
  ///
  /// - Throws: `LocatedError` if it is not a dump of arm64 memory.
  func open(_ path: String) throws(LocatedError) -> any DumpContainer {
    switch Directory.kind(of: path) {
    case .directory: return try parts(inDirectory: path)
    case .other: return try single(path)
    case .absent:
      let pieces = Self.pieces(path)
      if pieces.allSatisfy({ $0.contains("@") }) { return try raw(path, pieces) }
      if pieces.count > 1 { return try split(pieces) }
      return try single(path)
    }
  }

  /// `path` cut at its commas, but for those in brackets.
  private static func pieces(_ path: String) -> [String] {
    var pieces = [""]
    var isInBrackets = false
    for letter in path {
      if letter == ",", !isInBrackets {
        pieces.append("")
      } else {
        isInBrackets = letter == "[" || isInBrackets && letter != "]"
        pieces[pieces.count - 1].append(letter)
      }
    }
    return pieces
  }

  /// A file by itself.
  private func single(_ path: String) throws(LocatedError) -> any DumpContainer {
    let file: DumpBytes
    do {
      file = try bytes(path)
    } catch {
      // Files that the kernel generates on reading, above all /proc/kcore, cannot be mapped.
      guard case .system(let code) = error.kind, [ENODEV, ENOMEM, EINVAL, EIO].contains(code) else { throw error }
      let bytes = DumpBytes.unmapped(try UnmappedFile(path: path))
      return try ELFDump(bytes, ELFHeaders(reading: bytes), format: "ELF, live")
    }
    if case .unmapped = file { return try ELFDump(file, ELFHeaders(reading: file), format: "ELF, live") }
    func isA(_ recognises: (RawSpan) -> Bool) -> Bool { file.withHead(recognises) ?? false }
    if isA(FlattenedFile.recognises) {
      let flat = try FlattenedFile(file)
      if let part = try kdump(flat) { return try whole(part) }
      guard flat.withBytes(0..<4, ELFIdentity.recognises) == true else {
        throw LocatedError(
          file: path, offset: FlattenedFile.headerSize, kind: .unsupported,
          "is a flattened file of neither a kdump nor an ELF dump")
      }
      let bytes = DumpBytes.flattened(flat)
      return try ELFDump(bytes, ELFHeaders(reading: bytes), format: "ELF, flattened", warnings: warnings(flat))
    }
    if let part = try kdump(file) { return try whole(part) }
    if isA(ELFIdentity.recognises) {
      if let xen = try XenDump(file) { return xen }
      if case .mapped(let mapped) = file { return try ELFDump(file, ELFHeaders(mapped), format: "ELF") }
      return try ELFDump(file, ELFHeaders(reading: file), format: "ELF")
    }
    if isA(LiMEFile.recognises) { return try LiMEFile(file) }
    if let packed = try packed(file) { return packed }
    if let words = (file.withHead(ForeignFile.describe) ?? nil) ?? ForeignFile.describeSwap(file) {
      throw LocatedError(file: path, offset: 0, kind: .unsupported, words)
    }
    guard RawImage.mayBe(file) else {
      if isA({ RawImage.isImageHeader($0, 0) }) {
        throw LocatedError(file: path, offset: 0, kind: .unsupported, "is a kernel Image, not a dump")
      }
      throw LocatedError(
        file: path, offset: 0, kind: .unsupported,
        "is not a dump of a format kva knows; for raw memory say where it lies: \(path)@ADDRESS")
    }
    return try RawImage(path: path, [RawImage.Piece(file: file, address: 0)], isAddressUnknown: true)
  }

  /// A LiME or AVML file with compressed memory; nil if `file` is not one.
  private func packed(_ file: DumpBytes) throws(LocatedError) -> LiMEFile? {
    if file.withHead(AVMLFile.recognises) ?? false {
      return try LiMEFile(.packed(AVMLFile.unpacked(file, cacheSize: cacheSize)), format: "AVML")
    }
    let head = file.withHead { DeflatedFile.recognises($0) ? DeflatedFile.head($0, count: 8) : nil } ?? nil
    guard let head, LiMEFile.recognises(head.rawSpan) else { return nil }
    return try LiMEFile(.packed(DeflatedFile.unpacked(file, cacheSize: cacheSize)), format: "LiME, compressed")
  }

  /// A kdump file, flattened or not; nil if `file` is not one.
  ///
  /// - Parameter shares: how many files the cache is divided among.
  private func kdump(_ file: DumpBytes, shares: Int = 1) throws(LocatedError) -> KdumpFile? {
    if file.withHead(KdumpHeader.recognises) ?? false {
      return try KdumpFile(file, cacheSize: cacheSize / shares, format: "kdump-compressed")
    }
    return file.withHead(FlattenedFile.recognises) ?? false ? try kdump(FlattenedFile(file), shares: shares) : nil
  }

  private func kdump(_ flat: FlattenedFile, shares: Int = 1) throws(LocatedError) -> KdumpFile? {
    guard flat.withBytes(0..<8, KdumpHeader.recognises) == true else { return nil }
    return try KdumpFile(
      .flattened(flat), cacheSize: cacheSize / shares, format: "kdump-compressed, flattened", warnings: warnings(flat))
  }

  private func warnings(_ flat: FlattenedFile) -> [Diagnostic] {
    flat.isCutShort
      ? [Diagnostic(.fileCutShort, "the flattened file is cut short: what came last is missing; copy it again")] : []
  }

  /// The dump that `part` is, or is a part of.
  private func whole(_ part: KdumpFile) throws(LocatedError) -> any DumpContainer {
    part.header.part == nil ? part : try SplitDump([part] + siblings(of: part))
  }

  /// `PATH@ADDRESS` or `PATH[OFFSET,LENGTH]@ADDRESS`, each; all numbers in hex.
  private func raw(_ path: String, _ pieces: [String]) throws(LocatedError) -> any DumpContainer {
    var placed: [RawImage.Piece] = []
    for piece in pieces {
      guard let at = piece.lastIndex(of: "@") else { continue }
      let digits = piece[piece.index(after: at)...]
      guard let address = Self.number(digits) else {
        throw LocatedError(
          file: path, kind: .malformed, "'\(digits)' is not an address: give FILE@ADDRESS, the address in hex")
      }
      let name = String(piece[..<at])
      if let (file, part) = try section(of: name, path) {
        placed.append(RawImage.Piece(file: file, address: address, part: part))
      } else {
        placed.append(RawImage.Piece(file: try bytes(name), address: address))
      }
    }
    return try RawImage(path: path, placed)
  }

  private static func number(_ text: Substring) -> UInt64? {
    Hex.number(text.hasPrefix("0x") || text.hasPrefix("0X") ? text.dropFirst(2) : text)
  }

  /// The file of `FILE[OFFSET,LENGTH]`, and the part of it; nil if `name` does not end that way, or is a file.
  private func section(of name: String, _ path: String) throws(LocatedError) -> (DumpBytes, Range<UInt64>)? {
    guard name.last == "]", let bracket = name.lastIndex(of: "["), Directory.kind(of: name) == .absent else {
      return nil
    }
    let numbers = name[name.index(after: bracket)...].dropLast().split(
      separator: ",", omittingEmptySubsequences: false)
    guard numbers.count == 2, let offset = Self.number(numbers[0]), let length = Self.number(numbers[1]), length > 0
    else {
      throw LocatedError(
        file: path, kind: .malformed,
        "'\(name[bracket...])' is not a part of a file: give FILE[OFFSET,LENGTH]@ADDRESS, the numbers in hex")
    }
    let file = try bytes(String(name[..<bracket]))
    guard let part = file.range(at: offset, count: length) else {
      throw LocatedError(
        file: file.path, offset: file.byteCount, kind: .truncated,
        "ends before \(hex(offset &+ length)), where the part \(name[bracket...]) does")
    }
    return (file, part)
  }

  /// The parts of a split dump, each named.
  private func split(_ paths: [String]) throws(LocatedError) -> any DumpContainer {
    var parts: [KdumpFile] = []
    for path in paths {
      guard let part = try kdump(try bytes(path), shares: paths.count) else {
        throw LocatedError(file: path, offset: 0, kind: .mismatch, "is no part of a split dump")
      }
      parts.append(part)
    }
    return try SplitDump(parts)
  }

  /// The parts of a split dump in a directory that holds nothing else of its kind.
  private func parts(inDirectory path: String) throws(LocatedError) -> any DumpContainer {
    var parts: [KdumpFile] = []
    let names = Directory.names(in: path)
    let memory = RAMDumpFolder.parts(names) { try? bytes(path + "/" + $0) }
    if !memory.isEmpty {
      var pieces: [RawImage.Piece] = []
      for part in memory {
        let file = try bytes(path + "/" + part.name)
        guard part.size.map({ $0 == file.byteCount }) ?? true else {
          throw LocatedError(
            file: file.path, offset: file.byteCount, kind: .truncated,
            "has \(file.byteCount) bytes, and \(part.size ?? 0) by the list beside it; copy it again")
        }
        pieces.append(RawImage.Piece(file: file, address: part.start))
      }
      return try RawImage(path: path, pieces)
    }
    for name in names {
      guard let file = try? bytes(path + "/" + name), let part = try kdump(file, shares: names.count),
        part.header.part != nil
      else { continue }
      parts.append(part)
    }
    guard !parts.isEmpty else {
      throw LocatedError(
        file: path, kind: .unsupported, "is a directory without parts of a split dump; name the dump file in it")
    }
    return try SplitDump(parts)
  }

  /// The other parts of the dump that `part` is of: files beside it whose names differ in the number at
  /// their end only.
  private func siblings(of part: KdumpFile) throws(LocatedError) -> [KdumpFile] {
    let (directory, name) = Directory.split(part.path)
    let stem = Directory.stem(name)
    var result: [KdumpFile] = []
    let others = Directory.names(in: directory).filter { $0 != name && Directory.stem($0) == stem }
    for other in others {
      guard let file = try? bytes(directory + "/" + other),
        let sibling = try? kdump(file, shares: others.count),
        sibling.header.part != nil, sibling.header.identity == part.header.identity,
        sibling.header.frameCount == part.header.frameCount
      else { continue }
      result.append(sibling)
    }
    return result
  }
}
