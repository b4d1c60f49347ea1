import Bytes
import CElf
import Glibc

/// An ELF file as libelf reads it: its headers as values, and the names of its sections.
///
/// Safety: libelf is given the memory of `file`, which is retained here and so outlives the handle, and its true size.
/// It only reads it, though the parameter of elf_memory is not const, as nothing here lets it change or unpack a
/// section. The handle is made once and ended once, by `deinit`: this type cannot be copied. Headers are copied into
/// variables of the types that gelf.h names; numbers of headers and places of names are checked by libelf itself, and a
/// name is copied before the call that found it returns. The handle is for one thread at a time, as this type is not
/// Sendable; the reason for a failure is kept per thread.
@safe
package struct ELFFile: ~Copyable {
  /// The file that is read.
  package let file: MappedFile
  /// `Elf *`, for a library that builds on libelf: valid while this value lives, and not to be ended by the caller.
  @unsafe package let handle: OpaquePointer

  /// Reads the ELF header of `file`; nil, with a `failureReason`, if there is none.
  package init?(_ file: MappedFile) {
    _ = elf_version(UInt32(EV_CURRENT))
    let handle = unsafe file.withUnsafeAddress { address in
      let bytes = unsafe UnsafeMutableRawPointer(mutating: address).assumingMemoryBound(to: CChar.self)
      return unsafe elf_memory(bytes, file.count)
    }
    guard let handle = unsafe handle else { return nil }
    self.file = file
    unsafe self.handle = handle
  }

  deinit { unsafe elf_end(handle) }

  /// Why the previous call failed (elf_errmsg).
  package static var failureReason: String { unsafe elf_errmsg(-1).map { unsafe String(cString: $0) } ?? "unknown" }

  /// The ELF header; nil if it cannot be read.
  package var header: GElf_Ehdr? {
    var header = GElf_Ehdr()
    return unsafe gelf_getehdr(handle, &header) == nil ? nil : header
  }

  /// The real number of program headers, even if e_phnum is PN_XNUM; nil if unknown.
  package var programHeaderCount: Int? {
    var count = 0
    return unsafe elf_getphdrnum(handle, &count) == 0 ? count : nil
  }

  /// Program header `number`; nil if it lies outside the file.
  package func programHeader(_ number: Int) -> GElf_Phdr? {
    var header = GElf_Phdr()
    guard let number = Int32(exactly: number), unsafe gelf_getphdr(handle, number, &header) != nil else { return nil }
    return header
  }

  /// The real number of sections; nil if unknown.
  package var sectionCount: Int? {
    var count = 0
    return unsafe elf_getshdrnum(handle, &count) == 0 ? count : nil
  }

  /// The number of the section that has the sections' names; nil if unknown.
  package var nameSection: Int? {
    var number = 0
    return unsafe elf_getshdrstrndx(handle, &number) == 0 ? number : nil
  }

  /// The header of section `number`; nil if it lies outside the file.
  package func section(_ number: Int) -> GElf_Shdr? {
    var header = GElf_Shdr()
    guard number >= 0, let section = unsafe elf_getscn(handle, number), unsafe gelf_getshdr(section, &header) != nil
    else { return nil }
    return header
  }

  /// The name at `offset` of the string table in section `number`, at most `Limits.sectionName` bytes; nil if none ends
  /// there.
  package func name(at offset: Int, in number: Int) -> String? {
    guard offset >= 0, number >= 0, let start = unsafe elf_strptr(handle, number, offset) else { return nil }
    let bytes = unsafe UnsafeRawBufferPointer(start: start, count: strnlen(start, Limits.sectionName))
    return unsafe String(decoding: bytes, as: UTF8.self)
  }
}
