import ArgumentParser
import KernelVA

/// `kva tasks`: processes and threads.
struct TasksCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "tasks",
    abstract: "List the tasks: processes and their threads.",
    discussion: """
      Example: kva tasks vmcore
      Example: kva tasks vmcore --json | jq -r 'select(.state == "D").comm'
      """,
    aliases: ["ps"])

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      let tasks = kernel.tasks
      if options.json { tasks.elements.forEach(output.taskJSON) } else { output.taskTable(tasks.elements) }
      return tasks.notes
    }
  }
}
