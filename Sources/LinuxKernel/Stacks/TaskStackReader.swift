import Bytes
import CrashDump
import DebugInfo
import VMSA

/// Unwinds tasks.
struct TaskStackReader: Sendable {
  private let context: KernelContext
  private let names: KernelNames
  private let frame: ExceptionFrame
  private let saved: SavedContext?
  /// What each CPU was doing.
  private let cpus: [CPUState]
  private let stacks: CPUStacks

  init(
    _ context: KernelContext, _ names: KernelNames, _ cpus: [CPUState], _ perCPU: PerCPU?, _ tasks: [KernelTask]
  ) {
    self.context = context
    self.names = names
    self.cpus = cpus
    frame = ExceptionFrame(context.types.value, context.facts.version)
    saved = SavedContext(context, tasks)
    stacks = CPUStacks(context, perCPU)
  }

  /// Where `task` is.
  ///
  /// - Parameter scan: add what else on its stack looks like a return address.
  func stack(of task: KernelTask, scan: Bool) -> TaskStack {
    let found = stack(of: task)
    guard scan, task.stack != 0 else { return found }
    let known = Set(found.trace.records)
    let scanned = scanned(ownStack(of: task), from: found.trace.frames.compactMap(\.sp).min(), known)
    return TaskStack(
      task: task, runningOn: found.runningOn, frames: found.frames + named(scanned), trace: found.trace)
  }

  /// The words of `stack` that point behind a call instruction, but for those of the frame records at `known`.
  private func scanned(_ stack: KernelStack, from start: UInt64?, _ known: Set<UInt64>) -> [StackFrame] {
    var found: [StackFrame] = []
    let first = start.flatMap { stack.contains($0) ? $0 & ~7 : nil } ?? stack.start
    for address in stride(from: first, to: stack.end, by: 8) {
      guard !known.contains(address &- 8), let raw = context.memory.word(at: address),
        case let pc = unwinder(stack, []).stripped(raw), pc & 3 == 0, VirtualAddress(pc).isUpperHalf,
        context.memory.leaf(at: pc)?.attributes.isExecutableEL1 ?? false,
        let call = context.memory.integer(UInt32.self, at: pc &- 4), A64Call.isCall(call)
      else { continue }
      found.append(StackFrame(pc: pc, kind: .scanned, sp: address, stack: stack.kind))
    }
    return found
  }

  private func stack(of task: KernelTask) -> TaskStack {
    guard let state = cpus.first(where: { $0.task?.structure == task.structure }) else {
      return named(task, nil, sleeping(task))
    }
    guard let registers = state.registers else {
      return named(
        task, state.cpu, .broken("it was running on CPU \(state.cpu), and the dump has no registers of that CPU"))
    }
    return named(task, state.cpu, running(registers, stack: ownStack(of: task), on: state.cpu))
  }

  /// The frames of a CPU that stopped with `registers`, whatever it was running.
  func trace(_ registers: CPURegisters) -> [NamedFrame] {
    let state = cpus.first { $0.registers == registers }
    // Stacks are aligned to their size.
    let size = ThreadSize.bytes(context.layout.configuration)
    let start = registers.sp & ~(size - 1)
    let assumed = KernelStack(kind: .task, start: start, end: start &+ size, cpu: nil)
    let own = state?.task.flatMap { $0.stack == 0 ? nil : ownStack(of: $0) } ?? assumed
    return named(running(registers, stack: own, on: state?.cpu ?? registers.index).frames)
  }

  private func ownStack(of task: KernelTask) -> KernelStack {
    let size = ThreadSize.bytes(context.layout.configuration)
    return KernelStack(kind: .task, start: task.stack, end: task.stack &+ size, cpu: nil)
  }

  private func running(_ registers: CPURegisters, stack: KernelStack, on cpu: Int) -> Backtrace {
    unwinder(stack, stacks.all.indices.contains(cpu) ? stacks.all[cpu] : []).unwind(
      SavedRegisters(
        general: registers.general, sp: registers.sp, pc: registers.pc, pstate: registers.pstate, address: 0))
  }

  private func sleeping(_ task: KernelTask) -> Backtrace {
    guard task.stack != 0 else {
      var trace = Backtrace.broken("it has ended: it has no stack any more")
      if let pc = saved?.read(of: task, in: context.memory)?.pc {
        trace.frames = [StackFrame(pc: pc, kind: .call, sp: nil, stack: nil)]
      }
      return trace
    }
    guard let saved else {
      return .broken("where its registers were saved is not known: \(context.types.value.advice)")
    }
    guard let (pc, fp, sp) = saved.read(of: task, in: context.memory) else {
      return .broken("its registers, in its task_struct, are not in the dump")
    }
    // Stacks of CPUs belong to the tasks that these run.
    return unwinder(ownStack(of: task), []).unwind(pc: pc, fp: fp, sp: sp)
  }

  private func unwinder(_ task: KernelStack, _ others: [KernelStack]) -> Unwinder {
    Unwinder(
      memory: context.memory, layout: frame, addressBits: context.regime.addressBits, task: task, others: others,
      function: { names.symbol(containing: $0) })
  }

  private func named(_ task: KernelTask, _ cpu: Int?, _ trace: Backtrace) -> TaskStack {
    TaskStack(task: task, runningOn: cpu, frames: named(trace.frames), trace: trace)
  }

  private func named(_ frames: [StackFrame]) -> [NamedFrame] {
    frames.map { NamedFrame(frame: $0, symbol: names.symbol(containing: $0.symbolAddress)) }
  }
}

extension Backtrace {
  /// No frames, and why.
  static func broken(_ why: String) -> Backtrace {
    var trace = Backtrace()
    trace.message = why
    return trace
  }
}
