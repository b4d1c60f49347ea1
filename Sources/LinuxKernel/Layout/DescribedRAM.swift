import CrashDump
import VMSA

extension DumpFile {
  /// Whether the dump describes RAM. A dump of only the tables, for example, leaves out the kernel's own text.
  func describesRAM(_ facts: KernelFacts, _ vmcoreinfo: VMCoreInfo?) -> Bool {
    guard let text = vmcoreinfo?.symbol("_stext"), let offset = facts.kimageVoffset?.value else { return false }
    return memory.absence(at: PhysicalAddress(text &- offset)) != .notInDump
  }
}
