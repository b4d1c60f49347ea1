import Bytes
import DebugInfo

/// The source lines of a kernel's code, which KASLR may have moved from its link address.
final class SourceLines: Sendable {
  private let dwarf: DWARFTypes
  /// The KASLR offset from the link address; nil if there is no debug file.
  private let slide: Lazy<UInt64?>

  init(_ files: DebugFiles, _ dwarf: DWARFTypes, _ vmcoreinfo: VMCoreInfo?) {
    self.dwarf = dwarf
    slide = Lazy {
      files.withDWARF.map { (try? VMLinuxMatch.symbols($0, vmcoreinfo))?.slide ?? vmcoreinfo?.kernelOffset ?? 0 }
    }
  }

  func line(at address: UInt64) -> SourceLine? {
    slide.value.flatMap { dwarf.sourceLine(at: address &- $0) }
  }
}
