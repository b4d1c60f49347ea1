import Bytes
import CDw
import CElf
import Glibc

/// The sections that are read directly, besides libdw, and that decide what libdw may be asked.
///
/// Safety: libelf has checked that the bytes lie in the file, or has made them from it. They are valid while the
/// session lives; the session owns this object, and entries depend on the session.
@safe
final class DWARFSections {
  private let sections: [UnsafeRawBufferPointer]
  private var admission = DWARFAdmission()

  /// A section.
  enum Section: Int, CaseIterable {
    case info, abbreviations, strings, stringOffsets, lines, addressRanges

    fileprivate var name: String {
      switch self {
      case .info: ".debug_info"
      case .abbreviations: ".debug_abbrev"
      case .strings: ".debug_str"
      case .stringOffsets: ".debug_str_offsets"
      case .lines: ".debug_line"
      case .addressRanges: ".debug_aranges"
      }
    }
  }

  /// Finds the sections in libdw's data.
  @unsafe
  init(of dwarf: OpaquePointer) {
    unsafe sections = Section.allCases.map { unsafe Self.bytes(of: $0.name, in: dwarf) }
  }

  private static func bytes(of name: String, in dwarf: OpaquePointer) -> UnsafeRawBufferPointer {
    let none = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var names = 0
    guard let elf = unsafe dwarf_getelf(dwarf), unsafe elf_getshdrstrndx(elf, &names) == 0 else { return unsafe none }
    var next = unsafe elf_nextscn(elf, nil)
    while let section = unsafe next {
      var header = GElf_Shdr()
      if unsafe gelf_getshdr(section, &header) != nil, header.sh_type != UInt32(SHT_NOBITS),
        header.sh_flags & UInt64(SHF_COMPRESSED) == 0,
        let found = unsafe elf_strptr(elf, names, Int(header.sh_name)), unsafe strcmp(found, name) == 0,
        let data = unsafe elf_rawdata(section, nil), let bytes = unsafe data.pointee.d_buf
      {
        return unsafe UnsafeRawBufferPointer(start: bytes, count: data.pointee.d_size)
      }
      unsafe next = elf_nextscn(elf, section)
    }
    return unsafe none
  }

  /// The bytes of a section; empty if it does not exist.
  subscript(section: Section) -> RawSpan {
    @_lifetime(borrow self)
    get { unsafe _overrideLifetime(sections[section.rawValue].bytes, borrowing: self) }
  }

  /// The offset of the address `place` in `.debug_info`; nil if it is elsewhere.
  @unsafe
  func offset(of place: UnsafeRawPointer) -> Int? {
    guard let base = unsafe sections[Section.info.rawValue].baseAddress else { return nil }
    let offset = unsafe place - base
    return offset >= 0 && offset < self[.info].byteCount ? offset : nil
  }

  /// Whether libdw may be asked for the entry at `offset`, and, if `whole` is true, for any abbreviation of its unit.
  func admits(_ offset: UInt64, whole: Bool = false) -> Bool {
    admission.admits(offset: offset, whole: whole, self[.info], self[.abbreviations])
  }

  /// Whether libdw may be asked for unit `number`.
  func admits(unit number: Int) -> Bool { admission.admits(unit: number, self[.info], self[.abbreviations]) }
}
