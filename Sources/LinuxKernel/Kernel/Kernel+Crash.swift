import VMSA

extension Kernel {
  /// Why the kernel died, by its log; nil if the log shows no crash.
  public var crashReason: CrashReason? { CrashReason(log.elements) }

  /// The task that the kernel died in: that of the CPU that died.
  func crashedTask(_ reason: CrashReason?) -> KernelTask? {
    if let number = reason?.cpu ?? panicCPU, let task = cpus.first(where: { $0.cpu == number })?.task { return task }
    if let reason { return reason.pid.flatMap { pid in tasks.elements.first { $0.pid == pid } } }
    // Neither the log nor a variable names the CPU, but a stack may show it.
    return cpus.lazy.filter { $0.registers != nil }.compactMap(\.task).first { CrashSite(self.stack(of: $0)) != nil }
  }

  /// The frames that led to the crash, innermost first, from the stack; nil if it does not show them.
  func crashSite(_ reason: CrashReason) -> [NamedFrame]? {
    crashedTask(reason).flatMap { CrashSite(stack(of: $0)) }.flatMap { $0.frames.isEmpty ? nil : $0.frames }
  }

  /// The fault that killed the kernel; nil if neither the log nor a stack shows an exception.
  package var fault: KernelFault? {
    let reason = crashReason
    return contents.faultReader.fault(reason, crashedTask(reason).map { stack(of: $0) })
  }

  /// The kernel's counts of hardware errors; nil if it keeps none, or they are not in the dump.
  package var hardwareErrors: HardwareErrors? { HardwareErrors(symbols, types, space) }
}
