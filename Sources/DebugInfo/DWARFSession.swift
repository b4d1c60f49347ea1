import Bytes
import CDw
import CElf
import Glibc

/// One file's DWARF, opened by libdw.
///
/// Safety: the handles are made by `init`, private, and ended once by `deinit`, as this type cannot be copied: libdw's
/// before that of libelf, which it reads through. What libdw shows lies in the mapped file or in memory of the
/// session's own; both stay until `deinit`, and spans and entries depend on the session, so that the compiler lets none
/// outlive it. The sections' bytes are those that libelf has found to lie in the file. libdw is not made for several
/// threads: this is not Sendable, and who shares it does so under a lock.
@safe
struct DWARFSession: ~Copyable {
  /// The file.
  let image: ELFImage
  private let elf: ELFFile
  /// The owner of `dwarf` where the file is relocatable.
  private let relocated: OpaquePointer?
  private let dwarf: OpaquePointer
  private let sections: [UnsafeRawBufferPointer]

  /// A section that is read beside libdw.
  enum Section: Int, CaseIterable {
    case info, abbreviations, strings, stringOffsets, lines

    var name: String {
      switch self {
      case .info: ".debug_info"
      case .abbreviations: ".debug_abbrev"
      case .strings: ".debug_str"
      case .stringOffsets: ".debug_str_offsets"
      case .lines: ".debug_line"
      }
    }
  }

  /// Opens the DWARF of `image`, of which no section is packed; only its headers are read, unless it has relocations.
  ///
  /// - Parameter name: what an error calls the file.
  /// - Throws: `LocatedError` when it has none that libdw can read.
  init(_ image: ELFImage, named name: String) throws(LocatedError) {
    guard let elf = ELFFile(image.file) else {
      throw LocatedError(file: name, kind: .malformed, "its ELF header is damaged")
    }
    var relocated: OpaquePointer?
    var dwarf: OpaquePointer?
    if image.isRelocatable {
      unsafe relocated = dw_open_relocatable(image.path, &dwarf)
    } else {
      unsafe dwarf = dwarf_begin_elf(elf.handle, DWARF_C_READ, nil)
    }
    guard let dwarf = unsafe dwarf else {
      let reason = unsafe dwarf_errmsg(-1).map { unsafe String(cString: $0) } ?? "unknown"
      throw LocatedError(file: name, kind: .malformed, "its DWARF cannot be read: \(reason)")
    }
    self.image = image
    self.elf = elf
    unsafe self.relocated = relocated
    unsafe self.dwarf = dwarf
    unsafe sections = Section.allCases.map { unsafe Self.bytes(of: $0.name, in: dwarf) }
  }

  deinit {
    if let relocated = unsafe relocated { unsafe dwfl_end(relocated) } else { unsafe dwarf_end(dwarf) }
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

  /// The bytes of a section; none where it is not there.
  subscript(section: Section) -> RawSpan {
    @_lifetime(borrow self)
    get { unsafe _overrideLifetime(sections[section.rawValue].bytes, borrowing: self) }
  }

  // MARK: - Entries

  /// The entry that begins at `offset` of `.debug_info`; nil where no unit is.
  @_lifetime(borrow self)
  func entry(at offset: UInt64) -> DWARFEntry? {
    var die = unsafe Dwarf_Die()
    guard unsafe dwarf_offdie(dwarf, offset, &die) != nil else { return nil }
    return unsafe _overrideLifetime(DWARFEntry(die), borrowing: self)
  }

  /// The entry of the unit that `.debug_aranges` says the code at `address` is of.
  @_lifetime(borrow self)
  func unit(at address: UInt64) -> DWARFEntry? {
    var die = unsafe Dwarf_Die()
    guard unsafe dwarf_addrdie(dwarf, address, &die) != nil else { return nil }
    return unsafe _overrideLifetime(DWARFEntry(die), borrowing: self)
  }

  /// Shows `body` the entry of each unit that was compiled, as many as any kernel has.
  func forEachUnit(_ body: (DWARFEntry) -> Void) {
    var unit: OpaquePointer?
    var version: Dwarf_Half = 0
    var kind: UInt8 = 0
    var die = unsafe Dwarf_Die()
    var unitsLeft = Limits.compilationUnits
    while unitsLeft > 0, unsafe dwarf_get_units(dwarf, unit, &unit, &version, &kind, &die, nil) == 0 {
      unitsLeft -= 1
      if kind == UInt8(DW_UT_compile) { unsafe body(DWARFEntry(die)) }
    }
  }
}
