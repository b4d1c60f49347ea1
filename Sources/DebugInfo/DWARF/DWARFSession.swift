import Bytes
import CDw
import CElf
import ELF
import Glibc

/// One file's DWARF, opened by libdw.
///
/// Safety: the handles are made by `init`, private, and ended once by `deinit`, as this type cannot be copied: libdw's
/// before libelf's, which it reads through. What libdw returns lies in the mapped file or in the session's own memory;
/// both stay until `deinit`, and spans and entries depend on the session, so that the compiler lets none outlive it.
/// libdw is not thread-safe: this type is not Sendable, and must be shared under a lock.
@safe
struct DWARFSession: ~Copyable {
  /// The file.
  let image: ELFImage
  private let elf: ELFFile
  /// The owner of `dwarf` if the file is relocatable.
  private let relocated: OpaquePointer?
  private let dwarf: OpaquePointer
  private let sections: DWARFSections

  /// Opens the DWARF of `image`, whose sections are uncompressed; only its headers are read, unless it has relocations.
  ///
  /// - Parameter name: the file's name in errors.
  /// - Throws: `LocatedError` if it has none that libdw can read.
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
    unsafe sections = DWARFSections(of: dwarf)
  }

  deinit {
    if let relocated = unsafe relocated { unsafe dwfl_end(relocated) } else { unsafe dwarf_end(dwarf) }
  }

  /// The bytes of a section; empty if it does not exist.
  subscript(section: DWARFSections.Section) -> RawSpan {
    @_lifetime(borrow self)
    get { unsafe _overrideLifetime(sections[section], borrowing: self) }
  }

  // MARK: - Entries

  /// The entry at `offset` of `.debug_info`; nil if it is in no unit, or finding it takes too much work.
  @_lifetime(borrow self)
  func entry(at offset: UInt64) -> DWARFEntry? {
    var die = unsafe Dwarf_Die()
    guard sections.admits(offset), unsafe dwarf_offdie(dwarf, offset, &die) != nil else { return nil }
    return unsafe _overrideLifetime(DWARFEntry(die, sections), borrowing: self)
  }

  /// The offset of the entry of the unit that has the code at `address`, by `.debug_aranges`.
  func unit(at address: UInt64) -> UInt64? {
    var offset: UInt64 = 0
    guard self[.addressRanges].byteCount <= Limits.addressRangeBytes, unsafe dw_unit_at(dwarf, address, &offset)
    else { return nil }
    return offset
  }

  /// Shows `body` the entry of each compilation unit, up to the limit of what any kernel has.
  func forEachUnit(_ body: (DWARFEntry) -> Void) {
    var unit: OpaquePointer?
    var version: Dwarf_Half = 0
    var kind: UInt8 = 0
    var die = unsafe Dwarf_Die()
    var number = 0
    while sections.admits(unit: number), unsafe dwarf_get_units(dwarf, unit, &unit, &version, &kind, &die, nil) == 0 {
      number += 1
      if kind == UInt8(DW_UT_compile) { unsafe body(DWARFEntry(die, sections)) }
    }
  }
}
