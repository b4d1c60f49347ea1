import Bytes
import CElf
import ELF

/// The headers of an ELF file in memory, read by libelf.
struct ELFHeaders {
  /// e_flags.
  let flags: UInt32
  /// All program headers, even if e_phnum is PN_XNUM.
  let programHeaders: [GElf_Phdr]

  /// Reads the headers of `file`.
  ///
  /// - Throws: `LocatedError` if it is not an arm64 core, or the program headers lie outside the file or are too many.
  init(_ file: MappedFile) throws(LocatedError) {
    try Self.checkIdentity(file.path, file.bytes)
    func failure(_ what: String) -> LocatedError {
      LocatedError(
        file: file.path, kind: .malformed, "\(what): \(ELFFile.failureReason); the dump's headers are damaged")
    }
    guard let elf = ELFFile(file), let header = elf.header else { throw failure("cannot read the ELF header") }
    let size = UInt64(MemoryLayout<Elf64_Phdr>.size)
    if header.e_phnum != UInt16(PN_XNUM) {
      try Self.checkIsThere(header.e_phoff, UInt64(header.e_phnum) * size, of: file.path, byteCount: UInt64(file.count))
    }
    guard let count = elf.programHeaderCount else { throw failure("cannot count the program headers") }
    guard header.e_phoff != 0, count > 0 else {
      throw LocatedError(
        file: file.path, offset: 32, kind: .malformed, "has no program headers: nothing says where the memory is")
    }
    guard count <= Limits.programHeaders else { throw Self.tooMany(UInt64(count), file.path) }
    flags = header.e_flags
    var headers: [GElf_Phdr] = []
    for number in 0..<count {
      guard let programHeader = elf.programHeader(number) else {
        throw failure("cannot read program header \(number) of \(count)")
      }
      headers.append(programHeader)
    }
    programHeaders = headers
  }

  /// Reads the headers of an ELF file that libelf cannot read: one inside another file, or not mapped.
  ///
  /// - Throws: as the other.
  init(reading file: DumpBytes) throws(LocatedError) {
    let identity: Result<Void, LocatedError>? = file.withBytes(0..<64) { bytes in
      Result { () throws(LocatedError) in try Self.checkIdentity(file.path, bytes) }
    }
    guard let identity else {
      throw LocatedError(
        file: file.path, offset: 0, kind: .truncated, "the file ends within its ELF header; copy it again")
    }
    try identity.get()
    let start = file.integer(UInt64.self, at: 32) ?? 0
    var count = UInt64(file.integer(UInt16.self, at: 56) ?? 0)
    if count == UInt64(PN_XNUM), let sections = file.integer(UInt64.self, at: 40),
      let real = file.integer(UInt32.self, at: sections &+ 44)
    {
      count = UInt64(real)
    }
    guard count <= UInt64(Limits.programHeaders) else { throw Self.tooMany(count, file.path) }
    let size = UInt64(MemoryLayout<Elf64_Phdr>.size)
    try Self.checkIsThere(start, count * size, of: file.path, byteCount: file.byteCount)
    guard count > 0, start != 0, let range = file.range(at: start, count: count * size) else {
      throw LocatedError(
        file: file.path, offset: 32, kind: .malformed, "its program headers lie outside the file; it is damaged")
    }
    let headers: [GElf_Phdr]? = file.withBytes(range) { bytes in
      (0..<Int(count)).map { index in
        let at = index * Int(size)
        func word(_ offset: Int) -> UInt64 { bytes.integer(UInt64.self, at: at + offset) ?? 0 }
        func half(_ offset: Int) -> UInt32 { bytes.integer(UInt32.self, at: at + offset) ?? 0 }
        return GElf_Phdr(
          p_type: half(0), p_flags: half(4), p_offset: word(8), p_vaddr: word(16), p_paddr: word(24),
          p_filesz: word(32), p_memsz: word(40), p_align: word(48))
      }
    }
    guard let headers else {
      throw LocatedError(file: file.path, offset: start, kind: .truncated, "its program headers cannot be read")
    }
    flags = file.integer(UInt32.self, at: 48) ?? 0
    programHeaders = headers
  }

  /// Checks that program headers that begin inside the file, where writers put them, do not run past its end: then the
  /// file is cut short.
  private static func checkIsThere(
    _ start: UInt64, _ size: UInt64, of path: String, byteCount: UInt64
  ) throws(LocatedError) {
    guard start >= 64, start <= 4096, size > 0, start + size > byteCount else { return }
    throw LocatedError(
      file: path, offset: byteCount, kind: .truncated,
      "is cut short: it ends within its program headers; copy it again")
  }

  private static func tooMany(_ count: UInt64, _ path: String) -> LocatedError {
    LocatedError(
      file: path, offset: 56, kind: .malformed,
      "claims \(count) program headers, more than the \(Limits.programHeaders) kva reads")
  }

  /// Checks that a file that begins as ELF is an arm64 core; the error says in one line what it is instead.
  private static func checkIdentity(_ path: String, _ bytes: RawSpan) throws(LocatedError) {
    func fail(
      _ offset: UInt64, _ kind: LocatedError.Kind, code: Diagnostic.Code? = nil, _ message: String
    ) -> LocatedError {
      LocatedError(file: path, offset: offset, kind: kind, code: code, message)
    }
    guard bytes.byteCount >= 64, let identity = ELFIdentity(bytes) else {
      throw fail(0, .truncated, "the file ends within its ELF header; copy it again")
    }
    guard identity.is64Bit else {
      throw fail(ELFIdentity.classOffset, .unsupported, "is a 32-bit ELF file; arm64 dumps are 64-bit")
    }
    guard identity.isLittleEndian else {
      throw fail(
        ELFIdentity.byteOrderOffset, .unsupported,
        "is a big-endian ELF file; kva reads little-endian kernels only")
    }
    guard identity.isArm64 else {
      throw fail(
        ELFIdentity.machineOffset, .unsupported, "is an ELF file of \(identity.machineName), not of arm64")
    }
    guard identity.isCore else {
      let what = identity.isRelocatable ? "an object file" : "a program or a vmlinux"
      throw fail(ELFIdentity.typeOffset, .unsupported, code: .notADump, "is \(what), not a core dump")
    }
  }
}
