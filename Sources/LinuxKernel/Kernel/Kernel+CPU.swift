import Bytes
import CrashDump
import DebugInfo
import VMSA

extension Kernel {
  /// The CPUs. Their tasks need types; without them there are only the notes.
  public var cpus: [CPUState] { contents.cpus.value }

  /// The known fields of TCR_EL1 (TCR_EL2 under VHE), with the source of those that depend on more than the kernel's
  /// version.
  package var translationControl: SourcedTranslationControl { contents.control.value }

  /// Whether the kernel unmaps itself while a process runs (KPTI): its mappings are then not global.
  public var usesKPTI: Sourced<Bool>? { contents.control.usesKPTI }

  /// Whether TTBRs have CnP set (Common not Private): CPUs share their TLB entries; nil if the log does not say.
  public var usesCnP: Bool? { contents.control.usesCnP }

  /// KVM's part at EL2, found on first use.
  package var hypervisor: Hypervisor { contents.hypervisor.value }

  /// The hyp address of a kernel address: in the linear map, or in the image by its linear alias. nil if it is in
  /// neither, or `kern_hyp_va` is unknown.
  package func hypervisorAddress(ofKernel address: VirtualAddress) -> UInt64? {
    hypervisor.address(ofKernel: address, context, contents.regions)
  }

  /// The taint of the kernel; nil if no symbol names `tainted_mask`, or it is not in the dump.
  public var taint: Taint? { Taint(symbols, space) }

  /// The CPU that called `panic()`; nil if none did, or that is unknown.
  public var panicCPU: Int? { PanicCPU.number(symbols, space) }

  /// The backtrace of a stopped CPU, innermost first. Empty for a CPU that was in user space.
  package func backtrace(_ registers: CPURegisters) -> [CodePlace] {
    contents.stacks.value.trace(registers).compactMap { named in
      named.frame.kind == .link ? nil : CodePlace(named.frame.pc, isReturn: named.frame.kind != .interrupted)
    }
  }

  /// `place` as `%pS` prints it, `symbol+0xoff/0xsize [module]`, a return address by the call before it.
  package func text(of place: CodePlace) -> String { PlaceNames(contents.names).text(of: place) }

  /// The signature of the crash `reason`, independent of addresses, numbers and builds.
  ///
  /// - Parameter places: the call trace, innermost first, as `%pS` prints it, if the log has none.
  package func signature(_ reason: CrashReason, at places: [String] = []) -> String {
    let names = PlaceNames(contents.names)
    let logged = reason.callTrace
    return CrashSignature.text(
      reason, at: logged.isEmpty ? places : names.renamed(logged))
  }
}
