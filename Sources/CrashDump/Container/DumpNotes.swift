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
  /// The dumps of devices, which drivers add to /proc/vmcore.
  package internal(set) var deviceDumps: [DeviceDump] = []
  /// The text in which makedumpfile lists what it erased (`--config`).
  package internal(set) var eraseInfo: [UInt8]?
  /// What was left out on purpose when kva wrote the file, in words.
  package internal(set) var omissions: [String] = []
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

  /// Adds the notes in `range` of `file`, at most `limit` bytes; returns how much of the limit is left.
  ///
  /// - Throws: `LocatedError` if they lie in the file but cannot be read.
  mutating func add(_ range: Range<UInt64>, of file: DumpBytes, limit: UInt64) throws(LocatedError) -> UInt64 {
    let start = addDeviceDumps(range, of: file)
    let rest = start..<(start + min(range.upperBound - start, limit))
    guard file.withBytes(rest, { add($0) }) != nil || file.range(at: start, count: rest.upperBound - start) == nil
    else { throw Self.unreadable(file, rest) }
    return limit - (rest.upperBound - start)
  }

  /// Records the device dumps at the beginning of `range`, and returns where the other notes begin. Each may have
  /// gigabytes, which are not read.
  ///
  ///     name size u32 | descriptor size u32 | type u32 = 0x700 | "LINUX" in 8 bytes | name in 44 bytes | data
  ///
  /// The kernel puts them before all other notes. (include/uapi/linux/vmcore.h, `struct vmcoredd_header`;
  /// 7efe48df8a3d, "vmcore: append device dumps to vmcore as elf notes", 4.18)
  private mutating func addDeviceDumps(_ range: Range<UInt64>, of file: DumpBytes) -> UInt64 {
    var position = range.lowerBound
    while count < Limits.notes, range.upperBound - position >= 64,
      let nameSize = file.integer(UInt32.self, at: position), (6...8).contains(nameSize),
      let size = file.integer(UInt32.self, at: position + 4), size >= 44,
      file.integer(UInt32.self, at: position + 8) == 0x700,
      let names = file.bytes((position + 12)..<(position + 64), limit: 52), names.starts(with: "LINUX\0".utf8)
    {
      count += 1
      let name = String(decoding: names[8...].prefix { $0 != 0 }, as: UTF8.self)
      if deviceDumps.count < Limits.deviceDumps {
        deviceDumps.append(DeviceDump(name: name, byteCount: UInt64(size) - 44))
      }
      let next = position + 20 + (UInt64(size) + 3) & ~3
      guard next <= range.upperBound else { return range.upperBound }
      position = next
    }
    return position
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
    case ("LINUX", 0x700):
      guard deviceDumps.count < Limits.deviceDumps, let name = descriptor.slice(at: 0, count: 44) else { return }
      deviceDumps.append(DeviceDump(name: name.cString(), byteCount: UInt64(descriptor.byteCount) - 44))
    case ("ERASEINFO", _):
      guard eraseInfo == nil, descriptor.byteCount <= Limits.eraseInfoBytes else { return }
      eraseInfo = descriptor.array()
    case ("kva", 1):
      guard omissions.isEmpty, descriptor.byteCount <= Limits.omissionBytes else { return }
      omissions = descriptor.string().split(separator: "\n").map(String.init)
    case ("CORE", UInt32(NT_AUXV)), ("CORE", UInt32(NT_FILE)):
      isUserCore = true
    default: break
    }
  }
}

/// A device dump that a driver added to the kernel's.
package struct DeviceDump: Hashable, Sendable {
  /// The name that the driver gave it.
  package let name: String
  /// Bytes of the driver's own format.
  package let byteCount: UInt64
}
