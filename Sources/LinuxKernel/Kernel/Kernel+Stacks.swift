import Bytes
import CrashDump
import VMSA

extension Kernel {
  /// The stack of `task`, unwound by frame records.
  ///
  /// - Parameter scan: also include words on its stack that look like return addresses, marked `scanned`.
  public func stack(of task: KernelTask, scan: Bool = false) -> TaskStack {
    contents.stacks.value.stack(of: task, scan: scan)
  }

  /// The backtrace of a panic in KVM's code at EL2 on the CPU that ran the task of `stack`; nil if there was none.
  package func hypervisorTrace(of stack: TaskStack) -> HypervisorTrace? {
    guard let cpu = stack.runningOn, stack.frames.contains(where: { $0.symbol?.name == HypervisorTrace.handler }) else {
      return nil
    }
    return HypervisorTraceReader(context: context, names: contents.names, hypervisor: hypervisor).trace(of: cpu)
  }

  /// The registers of `task`: those of the CPU that ran it, or those saved when it went to sleep; nil if the dump has
  /// neither.
  package func registers(of task: KernelTask) -> TaskRegisters? { contents.stacks.value.registers(of: task) }

  /// The bits below bit 55 that a pointer authentication code occupies, if return addresses on stacks are signed;
  /// debuggers know those above.
  package var pointerAuthenticationMask: UInt64? {
    guard contents.stacks.value.signsReturnAddresses(tasks.elements, most: Limits.signedStacks) else { return nil }
    return ~0 << UInt64(regime.addressBits) & (1 << 55 - 1)
  }

  /// Every thread: `init_task`, the idle tasks of the other CPUs, and the tasks of the list.
  public var allTasks: [KernelTask] { contents.allTasks.value }

  /// The tasks that `text` names: a PID, cpuN, or 0x and the address of a `struct task_struct`.
  package func task(named text: String) -> Result<KernelTask, QueryFailure> {
    contents.taskQuery.task(text)
  }

  /// The tasks that a query without one is about: the one that crashed, or else those that the CPUs ran.
  package var foremostTasks: [KernelTask] {
    if let task = crashedTask(nil) ?? crashReason.flatMap({ crashedTask($0) }) { return [task] }
    return cpus.compactMap(\.task)
  }
}
