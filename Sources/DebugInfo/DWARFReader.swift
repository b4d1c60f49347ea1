import Bytes
import CDw
import CElf
import Glibc

/// One file's DWARF through libdw, which is not made for several threads: who owns it keeps them apart.
///
/// Types are found by going through the compilation units from the first one on, until the name turns up. What
/// was gone through is remembered by name, so that all questions of a process together pass each unit once.
@safe
struct DWARFReader: ~Copyable {
  private let image: ELFImage
  private let elf: OpaquePointer
  /// The owner of `dwarf` where the file is relocatable.
  private let session: OpaquePointer?
  let dwarf: OpaquePointer
  /// What types are found in; empty where a section is not there.
  private let info: UnsafeRawBufferPointer
  private let abbreviations: UnsafeRawBufferPointer
  private let strings: UnsafeRawBufferPointer
  private let stringOffsets: UnsafeRawBufferPointer

  private var index = DWARFTypeIndex()
  /// How far `.debug_info` was given back to the system.
  private var forgotten = 0

  /// Where the code of each unit lies, in order; made when `.debug_aranges` does not say.
  var codeRanges: [CodeRange]?

  /// Opens the DWARF of `image`; only its headers are read, unless it is compressed.
  ///
  /// - Throws: `LocatedError` when it has none, or one that libdw cannot read.
  init(_ image: ELFImage) throws(LocatedError) {
    guard image.hasDWARF else {
      throw LocatedError(file: image.path, kind: .missing, "has no DWARF: it was built or stripped without")
    }
    let opened = unsafe image.file.withUnsafeAddress { address in unsafe Self.open(address, image) }
    let handles = try opened.get()
    self.image = image
    unsafe elf = handles.elf
    unsafe session = handles.session
    unsafe dwarf = handles.dwarf
    unsafe info = Self.section(".debug_info", of: dwarf)
    unsafe abbreviations = Self.section(".debug_abbrev", of: dwarf)
    unsafe strings = Self.section(".debug_str", of: dwarf)
    unsafe stringOffsets = Self.section(".debug_str_offsets", of: dwarf)
  }

  deinit {
    if let session = unsafe session {
      unsafe dwfl_end(session)
    } else {
      unsafe dwarf_end(dwarf)
    }
    unsafe elf_end(elf)
  }

  @safe
  private struct Handles {
    var elf: OpaquePointer
    var session: OpaquePointer?
    var dwarf: OpaquePointer
  }

  private static func open(_ address: UnsafeRawPointer, _ image: ELFImage) -> Result<Handles, LocatedError> {
    _ = elf_version(UInt32(EV_CURRENT))
    let bytes = unsafe UnsafeMutableRawPointer(mutating: address).assumingMemoryBound(to: CChar.self)
    guard let elf = unsafe elf_memory(bytes, image.file.count) else {
      return .failure(LocatedError(file: image.path, kind: .malformed, "its ELF header is damaged"))
    }
    if let failure = unsafe compressionFailure(elf, image) {
      unsafe elf_end(elf)
      return .failure(failure)
    }
    var session: OpaquePointer?
    var dwarf: OpaquePointer?
    if image.isRelocatable {
      unsafe session = dw_open_relocatable(image.path, &dwarf)
    } else {
      unsafe dwarf = dwarf_begin_elf(elf, DWARF_C_READ, nil)
    }
    guard let dwarf = unsafe dwarf else {
      let reason = unsafe dwarf_errmsg(-1).map { unsafe String(cString: $0) } ?? "unknown"
      unsafe elf_end(elf)
      return .failure(LocatedError(file: image.path, kind: .malformed, "its DWARF cannot be read: \(reason)"))
    }
    return unsafe .success(Handles(elf: elf, session: session, dwarf: dwarf))
  }

  /// Why the compressed debug sections, which libdw unpacks when it opens the file, had better not be; nil
  /// where they may.
  private static func compressionFailure(_ elf: OpaquePointer, _ image: ELFImage) -> LocatedError? {
    var total: UInt64 = 0
    for (number, section) in image.sections.enumerated() where section.type != UInt32(SHT_NOBITS) {
      var size: UInt64?
      if section.isCompressed {
        var header = GElf_Chdr()
        guard let scn = unsafe elf_getscn(elf, number), unsafe gelf_getchdr(scn, &header) != nil else {
          return LocatedError(
            file: image.path, offset: section.offset, kind: .malformed,
            "compressed section \(section.name) has a damaged header")
        }
        // libelf reads it from 0.189 on, if it was built with it.
        guard header.ch_type == UInt32(ELFCOMPRESS_ZLIB) else {
          return LocatedError(
            file: image.path, offset: section.offset, kind: .unsupported,
            "section \(section.name) is not compressed with zlib; unpack it: "
              + "llvm-objcopy --decompress-debug-sections")
        }
        size = header.ch_size
      } else if section.name.hasPrefix(".zdebug") {
        // "ZLIB" and the size, big-endian: the form before SHF_COMPRESSED.
        size = image.file.integer(UInt64.self, at: section.offset &+ 4)?.byteSwapped
      }
      guard let size else { continue }
      let (sum, overflow) = total.addingReportingOverflow(size)
      guard !overflow, sum <= Limits.debugBytes else {
        return LocatedError(
          file: image.path, offset: section.offset, kind: .malformed,
          "section \(section.name) claims \(size) bytes when unpacked; it is damaged")
      }
      total = sum
    }
    return nil
  }

  /// The bytes of a section, as libdw has them: unpacked, in place where they were not packed.
  static func section(_ name: String, of dwarf: OpaquePointer) -> UnsafeRawBufferPointer {
    let empty = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    var names = 0
    guard let elf = unsafe dwarf_getelf(dwarf), unsafe elf_getshdrstrndx(elf, &names) == 0 else { return unsafe empty }
    var section = unsafe elf_nextscn(elf, nil)
    while let current = unsafe section {
      var header = GElf_Shdr()
      if unsafe gelf_getshdr(current, &header) != nil, header.sh_type != UInt32(SHT_NOBITS),
        let found = unsafe elf_strptr(elf, names, Int(header.sh_name)), unsafe strcmp(found, name) == 0,
        header.sh_flags & UInt64(SHF_COMPRESSED) == 0, let data = unsafe elf_rawdata(current, nil),
        let bytes = unsafe data.pointee.d_buf
      {
        return unsafe UnsafeRawBufferPointer(start: bytes, count: data.pointee.d_size)
      }
      unsafe section = elf_nextscn(elf, current)
    }
    return unsafe empty
  }

  // MARK: - Finding types by name

  /// The entry that defines the structure, union, typedef, enumeration or base type `name`; where several do, the
  /// first, and a structure before another type of the same unit.
  mutating func entry(named name: String) -> Dwarf_Die? {
    let text = Array(name.utf8)
    guard !text.isEmpty, !text.contains(0) else { return nil }
    if let offset = index.definition(of: text) { return unsafe entry(at: offset, named: text) }
    guard mayExist(text) else { return nil }
    while passUnit() {
      if let offset = index.definition(of: text) { return unsafe entry(at: offset, named: text) }
    }
    return nil
  }

  private mutating func passUnit() -> Bool {
    forgetPassed()
    let sections = unsafe DWARFTypeIndex.Sections(
      info: info.bytes, abbreviations: abbreviations.bytes, strings: strings.bytes, stringOffsets: stringOffsets.bytes)
    return index.passUnit(sections)
  }

  /// Gives back the memory of units that were passed: they are read again where an entry of theirs is asked for.
  private mutating func forgetPassed() {
    guard index.nextUnit - forgotten >= 16 << 20, let start = unsafe info.baseAddress else { return }
    let part = forgotten..<index.nextUnit
    forgotten = index.nextUnit
    // Unpacked sections lie elsewhere.
    let offset = unsafe image.file.withUnsafeAddress { file in unsafe start - file }
    guard offset > 0, offset <= image.file.count - part.upperBound else { return }
    image.file.forget(UInt64(offset + part.lowerBound)..<UInt64(offset + part.upperBound))
  }

  /// False where no entry can have the name `text`.
  ///
  /// Compilers put names into `.debug_str`, but for those that are no longer than the offset of one: of 8 bytes,
  /// where the first unit's length says so. A linker may let a name be the end of a longer one, so nothing can be
  /// said of what stands before it.
  private func mayExist(_ text: [UInt8]) -> Bool {
    let isWide = unsafe info.prefix(4).elementsEqual([0xff, 0xff, 0xff, 0xff])
    let wanted = text + [0]
    guard wanted.count > (isWide ? 8 : 4), let base = unsafe strings.baseAddress else { return true }
    return unsafe wanted.withUnsafeBytes { wanted in
      guard let pattern = wanted.baseAddress else { return true }
      return unsafe memmem(base, strings.count, pattern, wanted.count) != nil
    }
  }

  /// The entry at `offset`, if its name is `text`: two names may have one hash.
  private func entry(at offset: UInt64, named text: [UInt8]) -> Dwarf_Die? {
    var entry = unsafe Dwarf_Die()
    guard unsafe dwarf_offdie(dwarf, offset, &entry) != nil, let name = unsafe dw_own_name(&entry),
      unsafe Self.isSame(name, text + [0])
    else { return nil }
    return unsafe entry
  }

  /// Whether a string of C is `text`, which ends with its NUL.
  static func isSame(_ name: UnsafePointer<CChar>, _ text: [UInt8]) -> Bool {
    unsafe text.withUnsafeBytes { wanted in
      unsafe wanted.baseAddress.map { unsafe strcmp(name, $0.assumingMemoryBound(to: CChar.self)) == 0 } ?? false
    }
  }

  /// How much was gone through to find types so far.
  var work: Int { index.work }
}
