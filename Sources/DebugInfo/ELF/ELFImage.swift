import Bytes
import CElf
import ELF

/// A vmlinux or debuginfo file: its sections, build-ID and symbols, through libelf.
///
/// Only the headers are read when it opens.
public final class ELFImage: Sendable {
  /// A section header with its name.
  package struct Section: Sendable {
    /// The name, such as ".symtab".
    package let name: String
    /// sh_type.
    package let type: UInt32
    /// sh_flags.
    package let flags: UInt64
    /// sh_addr: the link address.
    package let address: UInt64
    /// sh_offset.
    package let offset: UInt64
    /// sh_size.
    package let size: UInt64
    /// sh_link.
    package let link: Int
    /// SHF_COMPRESSED: its bytes are a header and the compressed content.
    var isCompressed: Bool { flags & UInt64(SHF_COMPRESSED) != 0 }
    /// Whether its bytes are compressed, in this or an older way.
    var isPacked: Bool { type != UInt32(SHT_NOBITS) && (isCompressed || name.hasPrefix(".zdebug")) }
  }

  /// The path as given.
  package var path: String { file.path }
  /// The sections by number.
  package let sections: [Section]
  /// ET_REL: an object file or a kernel module.
  let isRelocatable: Bool
  let file: MappedFile

  /// Opens `path`.
  ///
  /// - Throws: `LocatedError` if it is not an arm64 ELF file, or its section headers are damaged.
  public init(path: String) throws(LocatedError) {
    let file = try MappedFile(path: path)
    let bytes = file.bytes
    guard ELFIdentity.recognises(bytes) else {
      throw LocatedError(file: path, offset: 0, kind: .unsupported, "is not an ELF file; give a vmlinux")
    }
    guard let identity = ELFIdentity(bytes), identity.isLittleEndianArm64 else {
      throw LocatedError(
        file: path, offset: ELFIdentity.classOffset, kind: .unsupported,
        "is not a little-endian 64-bit ELF file of arm64")
    }
    let headers = UInt64(bytes.integer(UInt16.self, at: 58) ?? 0) * UInt64(bytes.integer(UInt16.self, at: 60) ?? 0)
    if let start = bytes.integer(UInt64.self, at: 40), file.range(at: start, count: headers) == nil {
      throw LocatedError(
        file: path, offset: file.byteCount, kind: .truncated,
        "is cut short: its section headers lie beyond its end; copy it again")
    }
    self.file = file
    isRelocatable = identity.isRelocatable
    sections = try Self.sections(of: file)
  }

  private static func sections(of file: MappedFile) throws(LocatedError) -> [Section] {
    func failure(_ what: String) -> LocatedError {
      LocatedError(file: file.path, kind: .malformed, "\(what): \(ELFFile.failureReason)")
    }
    guard let elf = ELFFile(file) else { throw failure("cannot read the ELF header") }
    guard let count = elf.sectionCount, let names = elf.nameSection else { throw failure("cannot count the sections") }
    guard count <= Limits.sections else {
      throw LocatedError(file: file.path, offset: 60, kind: .malformed, "claims \(count) sections; it is damaged")
    }
    var result: [Section] = []
    for number in 0..<count {
      guard let header = elf.section(number) else { throw failure("cannot read section header \(number)") }
      result.append(
        Section(
          name: elf.name(at: Int(header.sh_name), in: names) ?? "", type: header.sh_type, flags: header.sh_flags,
          address: header.sh_addr, offset: header.sh_offset, size: header.sh_size, link: Int(header.sh_link)))
    }
    return result
  }

  /// Whether it holds DWARF: a stripped vmlinux does not.
  package var hasDWARF: Bool { debugInfo != nil }

  /// The section with the DWARF entries.
  var debugInfo: Section? {
    sections.first { $0.type != UInt32(SHT_NOBITS) && [".debug_info", ".zdebug_info"].contains($0.name) }
  }

  /// The range of `section` in the file.
  ///
  /// - Throws: `LocatedError` if it is not all there.
  func range(of section: Section) throws(LocatedError) -> Range<UInt64> {
    guard let range = file.range(at: section.offset, count: section.size) else {
      throw LocatedError(
        file: path, offset: section.offset, kind: .truncated,
        "section \(section.name) lies beyond the end of the file; copy it again")
    }
    return range
  }

  /// Whether it holds a symbol table.
  package var hasSymbols: Bool { sections.contains { $0.type == UInt32(SHT_SYMTAB) } }

  /// The GNU build-ID in lowercase hex, from any note section.
  package var buildID: String? {
    var bytesLeft = Limits.noteSectionBytes
    for section in sections where section.type == UInt32(SHT_NOTE) {
      let (end, overflow) = section.offset.addingReportingOverflow(section.size)
      guard !overflow, section.size <= bytesLeft else { continue }
      bytesLeft -= section.size
      if let id = file.withBytes(section.offset..<end, BuildID.find) ?? nil { return id }
    }
    return nil
  }

  /// The text at link address `address`, up to its NUL or `limit` bytes; nil if no section holds it.
  package func text(at address: UInt64, limit: UInt64) -> String? {
    for section in sections
    where section.type == UInt32(SHT_PROGBITS) && section.address <= address
      && address - section.address < section.size
    {
      let inside = address - section.address
      let (offset, overflow) = section.offset.addingReportingOverflow(inside)
      guard !overflow, offset <= file.byteCount else { return nil }
      let count = min(limit, section.size - inside, file.byteCount - offset)
      return file.withBytes(offset..<(offset + count)) { $0.cString() }
    }
    return nil
  }
}
