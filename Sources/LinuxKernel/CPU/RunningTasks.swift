import Bytes
import CrashDump
import VMSA

/// The tasks that CPUs were running, for kernels without a symbol for `__entry_task`.
struct RunningTasks {
  private let reader: TaskReader
  private let tasks: [KernelTask]
  private let space: KernelMemory

  init(_ reader: TaskReader, _ tasks: [KernelTask], _ space: KernelMemory) {
    self.reader = reader
    self.tasks = tasks
    self.space = space
  }

  /// The task of CPU `cpu`: the listed task with `task_struct.on_cpu` set, or else the idle task. Except for CPU 0's,
  /// idle tasks are on no list, but the registers and the stack have their addresses.
  ///
  /// - Parameter notes: the registers of the CPU, or of several that include it.
  func task(of cpu: Int, _ notes: [CPURegisters]) -> KernelTask? {
    if let task = tasks.first(where: { $0.cpu == cpu && reader.isRunning($0) }) { return task }
    for note in notes {
      if let task = tasks.first(where: { $0.cpu == cpu && isStack($0.stack, of: note) }) { return task }
      if let task = idle(cpu, note) { return task }
    }
    return nil
  }

  /// The idle task of CPU `cpu`, on whose stack `note` is: `current` is in a callee-saved register, or saved on the
  /// stack by an inner function.
  private func idle(_ cpu: Int, _ note: CPURegisters) -> KernelTask? {
    func isIdle(_ task: KernelTask) -> Bool { task.pid == 0 && task.cpu == cpu && isStack(task.stack, of: note) }
    func task(_ pointer: UInt64?) -> KernelTask? {
      guard let pointer, pointer >> 55 & 1 == 1, pointer & 7 == 0 else { return nil }
      return reader.task(at: pointer).flatMap { isIdle($0) ? $0 : nil }
    }
    for pointer in note.general {
      if let found = task(pointer) { return found }
    }
    guard note.sp & 7 == 0, note.sp >> 55 & 1 == 1 else { return nil }
    for place in stride(from: note.sp, to: note.sp &+ Self.reach, by: 8) {
      guard let word = space.word(at: place) else { return nil }
      if let found = task(word) { return found }
    }
    return nil
  }

  /// Whether the sp of `note` is on the stack that begins at `start`. THREAD_SIZE is 64 KiB at most.
  private func isStack(_ start: UInt64, of note: CPURegisters) -> Bool {
    start != 0 && note.sp > start && note.sp - start <= Self.reach
  }

  private static let reach: UInt64 = 64 << 10
}
