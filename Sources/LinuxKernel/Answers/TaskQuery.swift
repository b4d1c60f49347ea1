import Bytes
import DebugInfo
import VMSA

/// Finds the task that a query names.
struct TaskQuery {
  let context: KernelContext
  let tasks: Lazy<Listing<KernelTask>>
  let cpus: Lazy<[CPUState]>

  /// The task called `text`: a PID, cpuN for the task that CPU ran, or 0x and the address of a `struct task_struct`.
  func task(_ text: String) -> Result<KernelTask, QueryFailure> {
    func fail(_ code: Diagnostic.Code, _ message: String) -> Result<KernelTask, QueryFailure> {
      .failure(QueryFailure(.badQuery, Diagnostic(code, text, message)))
    }
    func fail(_ reason: Diagnostic, _ words: String) -> Result<KernelTask, QueryFailure> {
      .failure(QueryFailure(.badQuery, reason.explaining(words)))
    }
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      guard let address = Query.number(text), VirtualAddress(address).isUpperHalf else {
        return fail(.queryMalformed, "'\(text)' is not the address of a task_struct")
      }
      let raw = VirtualAddress(address).untagged.rawValue
      if let known = tasks.value.elements.first(where: { $0.structure == raw }) { return .success(known) }
      guard let task = TaskReader(context.memory, context.types.value)?.task(at: raw) else {
        return fail(.objectUnreadable, "there is no task_struct at \(text), or it is not in the dump")
      }
      return .success(task)
    }
    if text.hasPrefix("cpu"), let number = Int(text.dropFirst(3)) {
      guard let state = cpus.value.first(where: { $0.cpu == number }) else {
        return fail(.noSuchCPU, "there is no CPU \(number)")
      }
      guard let task = state.task else {
        return fail(
          tasks.value.notes.first ?? context.types.value.unknown("task_struct"),
          "the task of CPU \(number) is not known")
      }
      return .success(task)
    }
    guard let pid = Int(text), pid >= 0 else {
      return fail(.queryMalformed, "expected a PID, cpuN or the 0x-prefixed address of a task_struct, not '\(text)'")
    }
    guard let task = tasks.value.elements.first(where: { $0.pid == pid }) else {
      let words = "no process \(pid)"
      return tasks.value.notes.first.map { fail($0, words) } ?? fail(.noSuchTask, words)
    }
    return .success(task)
  }
}
