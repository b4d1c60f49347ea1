import ArgumentParser
import KernelVA

/// `kva maps`: the mappings of a process.
struct MapsCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "maps",
    abstract: "List what a process has mapped, as /proc/PID/maps does.",
    discussion: """
      Example: kva maps vmcore 1
      Example: kva maps vmcore 1 --json | jq -r 'select(.swapped > 0).name'
      """,
    aliases: ["vm"])

  static var sampleArguments: [String] { ["1"] }

  @OptionGroup var options: DumpOptions

  @Argument(help: "A PID, cpuN, or the 0x-prefixed address of a task_struct.")
  var task: String

  mutating func take(_ arguments: [String]) throws {
    guard arguments.count == 1 else { throw ValidationError("Give one task.") }
    task = arguments[0]
  }

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      let found: KernelTask
      switch kernel.task(named: task) {
      case .success(let known): found = known
      case .failure(let failure): return [failure.diagnostic]
      }
      guard found.mm != nil else { return [.withoutUserSpace(found)] }
      let mappings = kernel.userMappings(of: found)
      guard options.json else {
        for mapping in mappings.elements { output.mappingText(mapping) }
        return mappings.notes
      }
      let pages = kernel.userPages(of: mappings.elements, found)
      for (number, mapping) in mappings.elements.enumerated() { output.mappingJSON(mapping, pages?[number]) }
      return mappings.notes
        + (pages == nil
          ? [
            Diagnostic(
              .tableUnreadable, "resident and swapped pages are not counted: a table of user space cannot be read")
          ] : [])
    }
  }
}

extension Diagnostic {
  /// `task` has exited, or is a kernel thread.
  static func withoutUserSpace(_ task: KernelTask) -> Diagnostic {
    let what = task.state == "Z" ? "has ended" : "is a kernel thread"
    return Diagnostic(
      task.state == "Z" ? .taskEnded : .kernelThread, "\(task.pid)",
      "PID \(task.pid) (\(task.comm)) \(what): it has no user space")
  }
}
