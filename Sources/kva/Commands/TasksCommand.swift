import ArgumentParser
import KernelVA

/// `kva tasks`: processes and threads.
struct TasksCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "tasks",
    abstract: "List the tasks: processes and their threads.",
    discussion: """
      Example: kva tasks vmcore --state D
      Example: kva tasks vmcore 'kworker*' --json | jq -r .task
      """,
    aliases: ["ps"])

  @OptionGroup var options: DumpOptions

  @Argument(help: "Only these: PIDs, names (* for any letters, ? for one) or 0x-prefixed addresses of task_structs.")
  var tasks: [String] = []

  @Option(help: ArgumentHelp("Only tasks in these states, as ps(1) has them: RD.", valueName: "letters"))
  var state: String?

  @Flag(help: "Show whose children they are; of the tasks that are named, all descendants.")
  var tree = false

  @Flag(help: "With names or --tree, show all threads of a process as well.")
  var threads = false

  mutating func take(_ arguments: [String]) { tasks = arguments }

  func validate() throws {
    if tree, state != nil { throw ValidationError("--tree shows families, --state tasks out of them; give one.") }
    if let wrong = state?.first(where: { !TaskSelection.states.contains($0) }) {
      throw ValidationError("'\(wrong)' is no state; the letters are \(TaskSelection.states)")
    }
  }

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      let listing = kernel.tasks
      var selection = TaskSelection(kernel.allTasks, named: tasks, withThreads: threads)
      if let state { selection.keep(states: state) }
      if tree { selection.makeTree(withThreads: threads) }
      if options.json {
        for line in selection.lines { output.taskJSON(line.task) }
      } else {
        output.taskTable(selection.lines)
      }
      return listing.notes + selection.missing
    }
  }
}
