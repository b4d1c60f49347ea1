import Bytes
import CrashDump
import Synchronization
import VMSA

/// Finds VMCOREINFO in the memory of a dump that has no such note.
///
/// The kernel keeps the text at the start of a page, and again as the image of an ELF note at the start of
/// another (kernel/vmcore_info.c, `crash_save_vmcoreinfo_init`); a loaded crash kernel has a third copy. A
/// copy of an earlier boot or of a guest may be in RAM too, so each is believed only when its root table
/// maps `_stext` where it says.
enum VMCoreInfoSearch {
  /// A text and where it was found.
  struct Candidate {
    var address: PhysicalAddress
    var text: [UInt8]
  }

  /// All texts in the memory of `dump`, by their address.
  static func candidates(in dump: DumpFile, progress: (@Sendable (UInt64) -> Void)?) -> [Candidate] {
    let found = Mutex<[PhysicalAddress]>([])
    dump.memory.scan { address, bytes in
      for offset in stride(from: 0, to: bytes.byteCount, by: 4096) {
        if bytes.hasBytes("OSRELEASE=", at: offset) {
          found.withLock { $0.append(address &+ UInt64(offset)) }
        } else if bytes.hasBytes("VMCOREINFO\0\0OSRELEASE=", at: offset + 12) {
          found.withLock { $0.append(address &+ UInt64(offset + 24)) }
        }
      }
      progress?(UInt64(bytes.byteCount))
      return true
    }
    return found.withLock { $0 }.sorted().prefix(Limits.vmcoreinfoCopies).map {
      Candidate(address: $0, text: text(at: $0, in: dump))
    }
  }

  /// The text at `address`: up to its first NUL, or as far as it can be read.
  private static func text(at address: PhysicalAddress, in dump: DumpFile) -> [UInt8] {
    var text: [UInt8] = []
    while text.count < Limits.vmcoreinfoBytes {
      let here = address &+ UInt64(text.count)
      let rest = 4096 - Int(here.rawValue & 4095)
      guard let bytes = try? dump.memory.bytes(at: here, count: rest) else { break }
      if let end = bytes.firstIndex(of: 0) { return text + bytes[..<end] }
      text += bytes
    }
    return text
  }
}
