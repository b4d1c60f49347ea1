import Bytes
import CrashDump
import Synchronization
import VMSA

/// The results of one scan, on all cores, of the memory of a dump without a VMCOREINFO note.
struct PhysicalMemoryScan {
  /// A text of VMCOREINFO and where it was found.
  ///
  /// The kernel keeps the text at the start of a page, and again as the image of an ELF note at the start of another
  /// (kernel/vmcore_info.c, `crash_save_vmcoreinfo_init`); a loaded crash kernel has a third copy. Copies from an
  /// earlier boot or a guest may be in RAM too, so none is trusted by itself.
  struct Text {
    var address: PhysicalAddress
    var text: [UInt8]
  }

  /// The texts in address order.
  let texts: [Text]
  /// The 4 KiB pages that may be the kernel's root table, in order.
  let rootPages: [PhysicalAddress]
  /// The 4 KiB pages of raw memory that look like tables, in order, by which its true address is found.
  let tablePages: [PhysicalAddress]

  /// Scans the memory of `dump`.
  ///
  /// - Parameter progress: called with the number of bytes just scanned.
  init(_ dump: DumpFile, progress: (@Sendable (UInt64) -> Void)?) {
    let found = Mutex<(texts: [PhysicalAddress], roots: [PhysicalAddress], tables: [PhysicalAddress])>(([], [], []))
    let isRaw = dump.isRaw
    dump.memory.scan { address, bytes in
      for offset in stride(from: 0, to: bytes.byteCount, by: 4096) {
        let page = address &+ UInt64(offset)
        if bytes.hasBytes("OSRELEASE=", at: offset) {
          found.withLock { $0.texts.append(page) }
        } else if bytes.hasBytes("VMCOREINFO\0\0OSRELEASE=", at: offset + 12) {
          found.withLock { $0.texts.append(page &+ 24) }
        } else if RootPage.isPlausible(bytes, at: offset) {
          found.withLock { if $0.roots.count < Limits.rootCandidates { $0.roots.append(page) } }
        }
        if isRaw, bytes.slice(at: offset, count: 4096)?.isTable ?? false {
          found.withLock { if $0.tables.count < Limits.tablePages { $0.tables.append(page) } }
        }
      }
      progress?(UInt64(bytes.byteCount))
      return true
    }
    let (texts, roots, tables) = found.withLock { $0 }
    self.texts = texts.sorted().prefix(Limits.vmcoreinfoCopies).map {
      Text(address: $0, text: Self.text(at: $0, in: dump))
    }
    rootPages = roots.sorted()
    tablePages = tables.sorted()
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
