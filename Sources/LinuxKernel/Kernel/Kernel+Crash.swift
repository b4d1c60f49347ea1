import VMSA

extension Kernel {
  /// Why the kernel died, by its log; nil if the log tells of no death.
  public var crashReason: CrashReason? { CrashReason(log.elements) }

  /// The task that the kernel died in: the one that the CPU which died ran.
  func crashedTask(_ reason: CrashReason?) -> KernelTask? {
    if let number = reason?.cpu ?? panicCPU, let task = cpus.first(where: { $0.cpu == number })?.task { return task }
    if let reason { return reason.pid.flatMap { pid in tasks.elements.first { $0.pid == pid } } }
    // The log says nothing, and no variable names the CPU: a stack may.
    return cpus.lazy.filter { $0.registers != nil }.compactMap(\.task).first { CrashSite(self.stack(of: $0)) != nil }
  }

  /// Where the kernel died and how it came there, the innermost first, by the stack; nil if that does not show it.
  func crashSite(_ reason: CrashReason) -> [NamedFrame]? {
    crashedTask(reason).flatMap { CrashSite(stack(of: $0)) }.flatMap { $0.frames.isEmpty ? nil : $0.frames }
  }

  /// What the processor said when the kernel died; nil if neither the log nor a stack tells of an exception.
  package var fault: KernelFault? {
    let reason = crashReason
    return contents.faultReader.fault(reason, crashedTask(reason).map { stack(of: $0) })
  }

  /// The hardware errors that the kernel counted; nil if it counts none, or that is not in the dump.
  package var hardwareErrors: HardwareErrors? { HardwareErrors(symbols, types, space) }
}
