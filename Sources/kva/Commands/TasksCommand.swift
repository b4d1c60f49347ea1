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
      for task in tasks.elements {
        if options.json {
          output.jsonLine { $0.task(task) }
        } else {
          output.column("\(task.pid)", 7)
          output.column("\(task.tgid)", 8)
          output.column(task.cpu.map(String.init) ?? "?", 4)
          output.text(" \(task.state) ")
          output.hex(task.structure)
          output.text(" ")
          output.hex(task.stack)
          output.text(" ")
          output.printable(task.comm)
          output.newline()
        }
      }
      return tasks.notes
    }
  }
}

extension JSONObject {
  /// The fields of a task.
  mutating func task(_ task: KernelTask) {
    number("pid", task.pid)
    number("tgid", task.tgid)
    string("comm", task.comm)
    number("cpu", task.cpu)
    string("state", task.state)
    hex("task", task.structure)
    hex("stack", task.stack)
    hex("mm", task.mm)
    hex("ttbr0", task.root?.rawValue)
    number("asid", task.asid)
  }
}

extension Output {
  /// Writes `value` at the right of `width` columns.
  func column(_ value: String, _ width: Int) {
    spaces(width - value.utf8.count)
    text(value)
  }
}
