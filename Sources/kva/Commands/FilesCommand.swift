import ArgumentParser
import KernelVA

/// `kva files`: the open files of a process.
struct FilesCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "files",
    abstract: "List the files that a process has open.",
    discussion: """
      Example: kva files vmcore 1
      Example: kva files vmcore cpu0 --json | jq -r .path
      """)

  @OptionGroup var options: DumpOptions

  @Argument(help: "A PID, cpuN, or the 0x-prefixed address of a task_struct.")
  var task: String

  static var sampleArguments: [String] { ["0"] }

  mutating func take(_ arguments: [String]) throws {
    guard arguments.count == 1 else { throw ValidationError("Give one task.") }
    task = arguments[0]
  }

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      switch kernel.task(named: task) {
      case .failure(let failure): return [failure.diagnostic]
      case .success(let task):
        let files = kernel.openFiles(of: task)
        if options.json { files.elements.forEach(output.openFileJSON) } else { output.openFileTable(files.elements) }
        return files.notes
      }
    }
  }
}
