import Bytes
import CElf
import VMSA

/// An ELF vmcore: `/proc/vmcore`, QEMU's `dump-guest-memory`, makedumpfile's `-E`.
///
/// Only p_paddr is believed: p_vaddr may be wrong, equal to it, or zero.
public final class ELFDump: DumpContainer {
  /// The notes.
  public let notes: DumpNotes
  private let file: MappedFile
  private let map: MemoryMap
  private let isIncomplete: Bool

  /// Whether the file begins as ELF files do.
  static func recognises(_ bytes: RawSpan) -> Bool { bytes.hasBytes("\u{7f}ELF", at: 0) }

  /// Reads the headers and notes of `file`, of which it looks at nothing else.
  init(_ file: MappedFile) throws(LocatedError) {
    try Self.checkIdentity(file)
    let headers = try ELFHeaders(file)
    let count = UInt64(file.count)
    var segments: [MemoryMap.Segment] = []
    var notes = DumpNotes()
    for header in headers.programHeaders {
      switch header.p_type {
      case UInt32(PT_LOAD):
        segments.append(
          MemoryMap.Segment(
            physical: header.p_paddr, offset: header.p_offset, fileSize: header.p_filesz,
            memorySize: header.p_memsz))
      case UInt32(PT_NOTE):
        guard header.p_offset < count else { continue }
        let size = min(header.p_filesz, count - header.p_offset, Limits.noteBytes)
        let bytes = file.bytes
        if let segment = bytes.slice(at: Int(header.p_offset), count: Int(size)) { notes.add(segment) }
      default: break
      }
    }
    guard !notes.isUserCore || notes.vmcoreinfo != nil else {
      throw LocatedError(
        file: file.path, kind: .unsupported,
        "is the core of a user program, not of a kernel; open it with gdb")
    }
    guard !segments.isEmpty else {
      throw LocatedError(
        file: file.path, kind: .malformed, "has no PT_LOAD segment: no memory was dumped; dump it again")
    }
    self.file = file
    self.notes = notes
    map = MemoryMap(segments: segments, fileCount: count)
    // makedumpfile sets DUMP_ELF_INCOMPLETE when it ran out of space (makedumpfile, elf_info.h).
    isIncomplete = headers.flags & 1 != 0
  }

  /// Says in one line what is wrong with a file that begins as ELF, but is no arm64 core.
  private static func checkIdentity(_ file: MappedFile) throws(LocatedError) {
    let bytes = file.bytes
    func fail(_ offset: UInt64, _ kind: LocatedError.Kind, _ message: String) -> LocatedError {
      LocatedError(file: file.path, offset: offset, kind: kind, message)
    }
    guard bytes.byteCount >= 64, let fileClass = bytes.integer(UInt8.self, at: Int(EI_CLASS)),
      let data = bytes.integer(UInt8.self, at: Int(EI_DATA)), let type = bytes.integer(UInt16.self, at: 16),
      let machine = bytes.integer(UInt16.self, at: 18)
    else { throw fail(0, .truncated, "the file ends within its ELF header; copy it again") }
    guard fileClass == UInt8(ELFCLASS64) else {
      throw fail(UInt64(EI_CLASS), .unsupported, "is a 32-bit ELF file; arm64 dumps are 64-bit")
    }
    guard data == UInt8(ELFDATA2LSB) else {
      throw fail(
        UInt64(EI_DATA), .unsupported, "is a big-endian ELF file; kva reads little-endian kernels only")
    }
    guard machine == UInt16(EM_AARCH64) else {
      throw fail(18, .unsupported, "is an ELF file of \(name(ofMachine: machine)), not of arm64")
    }
    guard type == UInt16(ET_CORE) else {
      let what = type == UInt16(ET_REL) ? "an object file" : "a program or a vmlinux"
      throw fail(16, .unsupported, "is \(what), not a core dump; a vmlinux is given with --vmlinux")
    }
  }

  private static func name(ofMachine machine: UInt16) -> String {
    switch Int32(machine) {
    case EM_X86_64: "x86-64"
    case EM_386: "32-bit x86"
    case EM_ARM: "32-bit Arm"
    case EM_RISCV: "RISC-V"
    case EM_PPC64: "64-bit PowerPC"
    case EM_S390: "s390"
    default: "machine type \(machine)"
    }
  }

  /// The little-endian 64-bit word at `address`.
  @inline(__always)
  public func word(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
    if let interval = map.interval(at: address.rawValue), interval.absence == nil,
      interval.end &- address.rawValue >= 8
    {
      // The map holds only bytes within the file, so the word is in the mapping.
      return file.uncheckedWord(
        at: Int(truncatingIfNeeded: interval.offset &+ (address.rawValue &- interval.start)))
    }
    return try wordAcrossIntervals(at: address)
  }

  /// A word at the border of two segments, or the error that says why there is none.
  @inline(never)
  private func wordAcrossIntervals(at address: PhysicalAddress) throws(MemoryFault) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<8 {
      let byteAddress = address &+ UInt64(index)
      guard let interval = map.interval(at: byteAddress.rawValue) else {
        throw MemoryFault(.notInDump, at: byteAddress)
      }
      if let absence = interval.absence { throw MemoryFault(absence, at: byteAddress) }
      let byte = file.integer(UInt8.self, at: interval.offset + (byteAddress.rawValue - interval.start))
      value |= UInt64(byte ?? 0) << UInt64(index * 8)
    }
    return value
  }

  /// Fills `buffer` from `address` on.
  public func read(_ address: PhysicalAddress, into buffer: inout MutableRawSpan) throws(MemoryFault) {
    var done = 0
    while done < buffer.byteCount {
      let here = address &+ UInt64(done)
      guard let interval = map.interval(at: here.rawValue) else { throw MemoryFault(.notInDump, at: here) }
      if let absence = interval.absence { throw MemoryFault(absence, at: here) }
      let count = Int(min(UInt64(buffer.byteCount - done), interval.end - here.rawValue))
      let offset = interval.offset + (here.rawValue - interval.start)
      guard file.copy(offset, count: count, into: &buffer, at: done) else { throw MemoryFault(.cutOff, at: here) }
      done += count
    }
  }

  /// Why the byte at `address` cannot be read, or nil.
  public func absence(at address: PhysicalAddress) -> Absence? {
    guard let interval = map.interval(at: address.rawValue) else { return .notInDump }
    return interval.absence
  }

  /// The memory of the machine.
  public var ranges: [Range<PhysicalAddress>] { map.ranges }

  /// What `info` shows.
  public var summary: DumpSummary {
    var summary = DumpSummary(
      format: "ELF", bytesPresent: map.bytes(nil),
      bytesTotal: map.intervals.reduce(0) { $0 &+ ($1.end - $1.start) })
    summary.bytesFiltered = map.bytes(.filtered)
    summary.bytesCutOff = map.bytes(.cutOff)
    if summary.bytesCutOff > 0 {
      summary.warnings.append(
        "the file is cut short: \(summary.bytesCutOff) bytes of memory are missing at its end; copy it again")
    }
    if isIncomplete {
      summary.warnings.append("makedumpfile marked this dump incomplete: it ran out of space")
    }
    return summary
  }
}
