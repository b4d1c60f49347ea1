import Bytes
import CrashDump
import VMSA

extension KernelContext {
  /// The header fields of a kdump-compressed file of the dump's memory.
  func describedKdump(_ compression: PageCompression, _ notes: CoreNotes, hidesUser: Bool) -> KdumpDescription {
    let namespace = symbols.symbol(named: "init_uts_ns")?.address ?? vmcoreinfo?.symbol("init_uts_ns")
    let place = namespace.flatMap { SystemNames.address(in: $0, vmcoreinfo, memory) }
    var names = place.map { SystemNames(at: $0, memory).all.map { $0 ?? "" } } ?? [String](repeating: "", count: 6)
    // Readers select the architecture by this name, which not all dumps have.
    names[0] = "Linux"
    names[4] = "aarch64"
    if names[2].isEmpty, let release = facts.release?.value { names[2] = release }
    let written = notes.written
    return KdumpDescription(
      pageSize: facts.granule.value.size, compression: compression, systemNames: names,
      time: facts.crashTime?.value ?? 0, physicalBase: facts.physOffset?.value ?? 0, cpuCount: notes.threads.count,
      notes: written.bytes, vmcoreinfo: written.vmcoreinfo,
      dumpLevel: (self.dump.summary.dumpLevel ?? 0) | (hidesUser ? 30 : 0))
  }
}
