import Bytes
import CrashDump
import DebugInfo
import VMSA

extension Kernel {
  /// The CPUs. Their tasks need types; without them there are the notes alone.
  public var cpus: [CPUState] { contents.cpus.value }

  /// TCR_EL1 (TCR_EL2 under VHE) as far as the dump tells, and where that is from, for the fields that depend
  /// on more than the kernel's version.
  package var translationControl: SourcedTranslationControl { contents.control.value }

  /// Whether the kernel unmaps itself while a process runs (KPTI): its mappings are then not global.
  public var usesKPTI: Sourced<Bool>? { contents.control.usesKPTI }

  /// Whether TTBRs have CnP set (Common not Private): CPUs share their TLB entries; nil if the log does not say.
  public var usesCnP: Bool? { contents.control.usesCnP }

  /// What of KVM runs at EL2, found on first use.
  package var hypervisor: Hypervisor { contents.hypervisor.value }

  /// The hyp address of a kernel address: of the linear map, or of the image by its alias there. Nil if it
  /// is neither, or `kern_hyp_va` is not known.
  package func hypervisorAddress(ofKernel address: VirtualAddress) -> UInt64? {
    hypervisor.address(ofKernel: address, context, contents.regions)
  }

  /// The taint of the kernel; nil if no symbol names `tainted_mask`, or it is not in the dump.
  public var taint: Taint? { Taint(symbols, space) }

  /// The CPU that called `panic()`; nil if none did, or the dump does not say.
  public var panicCPU: Int? { PanicCPU.number(symbols, space) }

  /// Where a stopped CPU was and where each call returns to, the innermost first. Empty for a CPU that was in user
  /// space.
  package func backtrace(_ registers: CPURegisters) -> [CodePlace] {
    contents.stacks.value.trace(registers).compactMap { named in
      named.frame.kind == .link ? nil : CodePlace(named.frame.pc, isReturn: named.frame.kind != .interrupted)
    }
  }

  /// `place` as `%pS` prints it, `symbol+0xoff/0xsize [module]`, a return address by the call before it.
  package func text(of place: CodePlace) -> String { PlaceNames(contents.names).text(of: place) }

  /// What names the crash of `reason`, whatever the addresses, numbers and builds.
  ///
  /// - Parameter places: where the CPU was and how it came there, the innermost call first, as `%pS` prints them, if the
  ///   log does not say.
  package func signature(_ reason: CrashReason, at places: [String] = []) -> String {
    let names = PlaceNames(contents.names)
    let logged = reason.callTrace
    return CrashSignature.text(
      reason, at: logged.isEmpty ? places : names.renamed(logged))
  }
}
