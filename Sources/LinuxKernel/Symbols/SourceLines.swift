import DebugInfo
import Synchronization

/// The source lines of a kernel's code, which KASLR may have moved from where its debug file has it.
final class SourceLines: Sendable {
  private let files: DebugFiles
  private let dwarf: DWARFTypes
  private let vmcoreinfo: VMCoreInfo?
  private let slide = Mutex<UInt64??>(nil)

  init(_ files: DebugFiles, _ dwarf: DWARFTypes, _ vmcoreinfo: VMCoreInfo?) {
    self.files = files
    self.dwarf = dwarf
    self.vmcoreinfo = vmcoreinfo
  }

  func line(at address: UInt64) -> SourceLine? {
    let slide = slide.withLock { slide in
      if let slide { return slide }
      let found = files.withDWARF.map { image in
        (try? VMLinuxMatch.symbols(image, vmcoreinfo))?.slide ?? vmcoreinfo?.kernelOffset ?? 0
      }
      slide = .some(found)
      return found
    }
    return slide.flatMap { dwarf.sourceLine(at: address &- $0) }
  }
}
