import Bytes
import CElf

/// The headers of an ELF file in memory, read by libelf.
struct ELFHeaders {
  /// e_flags.
  let flags: UInt32
  /// All program headers, the real number of them where e_phnum is PN_XNUM.
  let programHeaders: [GElf_Phdr]

  /// Reads the headers of `file`.
  ///
  /// - Throws: `LocatedError` when the program headers lie outside the file or are too many.
  init(_ file: MappedFile) throws(LocatedError) {
    let result: Result<ELFHeaders, LocatedError> = unsafe file.withUnsafeAddress { address in
      unsafe Self.read(address, file)
    }
    self = try result.get()
  }

  private init(flags: UInt32, programHeaders: [GElf_Phdr]) {
    self.flags = flags
    self.programHeaders = programHeaders
  }

  private static func read(_ address: UnsafeRawPointer, _ file: MappedFile) -> Result<Self, LocatedError> {
    _ = elf_version(UInt32(EV_CURRENT))
    func failure(_ what: String) -> Result<Self, LocatedError> {
      let reason = unsafe elf_errmsg(-1).map { unsafe String(cString: $0) } ?? "unknown"
      return .failure(
        LocatedError(file: file.path, kind: .malformed, "\(what): \(reason); the dump's headers are damaged"))
    }
    // elf_memory only reads what it is given; its parameter is not const.
    let bytes = unsafe UnsafeMutableRawPointer(mutating: address).assumingMemoryBound(to: CChar.self)
    guard let elf = unsafe elf_memory(bytes, file.count) else { return failure("cannot read the ELF header") }
    defer { unsafe elf_end(elf) }
    var header = GElf_Ehdr()
    guard unsafe gelf_getehdr(elf, &header) != nil else { return failure("cannot read the ELF header") }
    var count = 0
    guard unsafe elf_getphdrnum(elf, &count) == 0 else { return failure("cannot count the program headers") }
    guard header.e_phoff != 0, count > 0 else {
      return .failure(
        LocatedError(
          file: file.path, offset: 32, kind: .malformed,
          "has no program headers: nothing says where the memory is"))
    }
    guard count <= Limits.programHeaders else {
      return .failure(
        LocatedError(
          file: file.path, offset: 56, kind: .malformed,
          "claims \(count) program headers, more than the \(Limits.programHeaders) kva reads"))
    }
    var headers: [GElf_Phdr] = []
    for index in 0..<count {
      var programHeader = GElf_Phdr()
      guard unsafe gelf_getphdr(elf, Int32(index), &programHeader) != nil else {
        return failure("cannot read program header \(index) of \(count)")
      }
      headers.append(programHeader)
    }
    return .success(Self(flags: header.e_flags, programHeaders: headers))
  }
}
