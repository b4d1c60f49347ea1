import VMSA

extension Kernel {
  /// Why the kernel died, by its log; nil if the log tells of no death.
  public var crashReason: CrashReason? { CrashReason(log.elements) }

  /// The task that the kernel died in: the one that the CPU which died ran.
  func crashedTask(_ reason: CrashReason?) -> KernelTask? {
    if let number = reason?.cpu ?? panicCPU, let task = cpus.first(where: { $0.cpu == number })?.task { return task }
    return reason?.pid.flatMap { pid in tasks.elements.first { $0.pid == pid } }
  }

  /// What the processor said when the kernel died; nil if neither the log nor a stack tells of an exception.
  package var fault: KernelFault? {
    let reason = crashReason
    let task = reason == nil && panicCPU == nil ? nil : crashedTask(reason)
    return contents.faultReader.fault(reason, task.map { stack(of: $0) })
  }
}
