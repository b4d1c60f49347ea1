import Bytes
import CElf
import ELF
import Glibc

/// The notes of a dump: the kernel's description of itself and the registers of its CPUs.
public struct DumpNotes: Sendable {
  /// The text of the VMCOREINFO note.
  public internal(set) var vmcoreinfo: [UInt8]?
  /// The registers of each CPU that has a note, in the order of the notes.
  public internal(set) var cpus: [CPURegisters] = []
  /// Whether there are notes that only the core of a user program has (auxiliary vector, mapped files).
  var isUserCore = false
  /// How many notes were seen.
  var count = 0

  init() {}

  /// The error for notes that lie in the file, but cannot be read.
  static func unreadable(_ file: DumpBytes, _ range: Range<UInt64>) -> LocatedError {
    LocatedError(
      file: file.path, offset: range.lowerBound, kind: .system(EIO),
      "its notes cannot be read: the disk or the network that it is on failed")
  }

  /// Adds the notes of one segment.
  mutating func add(_ segment: RawSpan) {
    var notes = NoteIterator(segment)
    while count < Limits.notes, let note = notes.next() {
      count += 1
      take(name: note.name.cString(), type: note.type, note.descriptor)
    }
  }

  private mutating func take(name: String, type: UInt32, _ descriptor: RawSpan) {
    switch (name, type) {
    case ("VMCOREINFO", _):
      guard vmcoreinfo == nil, descriptor.byteCount <= Limits.vmcoreinfoBytes else { return }
      vmcoreinfo = descriptor.array()
    case ("CORE", UInt32(NT_PRSTATUS)):
      guard cpus.count < Limits.noteCPUs else { return }
      if let registers = CPURegisters(index: cpus.count, descriptor: descriptor) { cpus.append(registers) }
    case ("CORE", UInt32(NT_AUXV)), ("CORE", UInt32(NT_FILE)):
      isUserCore = true
    default: break
    }
  }
}
