import ArgumentParser
import KernelVA

/// `kva stack`: the stacks of tasks.
struct StackCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "stack",
    abstract: "Show the kernel stack of tasks.",
    discussion: """
      Without a task: the one that crashed, or else what each CPU ran.
      Example: kva stack vmcore cpu1
      Example: kva stack vmcore --all --state D --group
      """,
    aliases: ["bt"])

  @OptionGroup var options: DumpOptions

  @Argument(help: "PIDs, cpuN, or the 0x-prefixed addresses of task_structs.")
  var tasks: [String] = []

  @Flag(name: .long, help: "Show every thread, with the idle tasks of all CPUs.")
  var all = false

  @Option(name: .long, help: ArgumentHelp("Show only tasks in these states, as ps(1) has them.", valueName: "letters"))
  var state: String?

  @Flag(name: .long, help: "Show equal stacks once, the most frequent first.")
  var group = false

  @Flag(name: .long, help: "Show also what else on the stack looks like a return address.")
  var scan = false

  mutating func take(_ arguments: [String]) { tasks = arguments }

  func validate() throws {
    if all, !tasks.isEmpty { throw ValidationError("Give tasks or --all, not both.") }
  }

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    let (asked, isWhole) = try chosen(kernel, session)
    let output = session.output
    var groups: [String: [TaskStack]] = [:]
    var isFirst = true
    for task in asked {
      let stack = kernel.stack(of: task, scan: scan)
      if group {
        groups[stack.hash, default: []].append(stack)
      } else if options.json {
        output.stackJSON(stack, kernel)
      } else {
        if !isFirst { output.newline() }
        output.stackText(stack, kernel)
        isFirst = false
      }
    }
    for (hash, stacks) in groups.sorted(by: { ($1.value.count, $0.key) < ($0.value.count, $1.key) }) {
      if options.json {
        output.stackGroupJSON(hash, stacks, kernel)
      } else {
        if !isFirst { output.newline() }
        output.stackGroupText(hash, stacks, kernel)
        isFirst = false
      }
    }
    if !isWhole { throw ExitCode.notFound }
  }

  /// The requested tasks, and whether all of them were found.
  private func chosen(_ kernel: Kernel, _ session: Session) throws -> (tasks: [KernelTask], isWhole: Bool) {
    var found: [KernelTask] = []
    var isWhole = true
    for text in tasks {
      switch kernel.task(named: text) {
      case .success(let task): found.append(task)
      case .failure(let failure):
        session.report(failure.diagnostic)
        isWhole = false
      }
    }
    if tasks.isEmpty {
      found = all || state != nil ? kernel.allTasks : kernel.foremostTasks
      let notes = kernel.tasks.notes
      for note in notes { session.report(note) }
      if found.isEmpty, notes.isEmpty {
        session.report(.taskUnknown, "no CPU's task is known; name one, or ask for --all")
      }
      isWhole = notes.isEmpty && !found.isEmpty
    }
    if let state { found = found.filter { state.contains($0.state) } }
    return (found, isWhole)
  }
}
