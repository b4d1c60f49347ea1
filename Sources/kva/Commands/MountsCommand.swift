import ArgumentParser
import KernelVA

/// `kva mounts`: the mounts that a process sees.
struct MountsCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "mounts",
    abstract: "List the filesystems that a process sees.",
    discussion: """
      Example: kva mounts vmcore
      Example: kva mounts vmcore 1 --json | jq -r 'select(.type == "ext4").target'
      """)

  @OptionGroup var options: DumpOptions

  @Argument(help: "A PID, cpuN, or the 0x-prefixed address of a task_struct; none for the first process.")
  var task: String?

  mutating func take(_ arguments: [String]) throws {
    guard arguments.count <= 1 else { throw ValidationError("Give one task.") }
    task = arguments.first
  }

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      // A kernel that died before it started init has only its first task.
      let first = kernel.tasks.elements.contains { $0.pid == 1 } ? "1" : "0"
      switch kernel.task(named: task ?? first) {
      case .failure(let failure): return [failure.diagnostic]
      case .success(let task):
        let mounts = kernel.mounts(of: task)
        if options.json { mounts.elements.forEach(output.mountJSON) } else { output.mountTable(mounts.elements) }
        return mounts.notes
      }
    }
  }
}
