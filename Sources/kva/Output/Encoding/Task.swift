import KernelVA

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
    number("ppid", task.parent)
    number("uid", task.user)
    number("startTime", task.startTime)
    number("lastRun", task.lastRun)
  }
}

/// A task, and its depth in a tree of them.
struct TaskLine {
  var task: KernelTask
  var depth = 0
}

extension Output {
  /// One task as a JSON object.
  func taskJSON(_ task: KernelTask) {
    jsonLine { $0.task(task) }
  }

  /// The most levels of a tree that are indented.
  private static var shownDepth: Int { 32 }

  /// Tasks as a table; without the time since they last ran if the kernel does not record it.
  func taskTable(_ lines: [TaskLine]) {
    let hasRun = lines.contains { $0.task.lastRun != nil }
    var columns: [Table.Column] = [
      .right("PID"), .right("PPID"), .right("TGID"), .right("UID"), .right("CPU"), .left("S"), .right("START"),
    ]
    if hasRun { columns.append(.right("RAN")) }
    columns += [.left("TASK"), .left("COMMAND")]
    table(columns) { table in
      for line in lines {
        let task = line.task
        let branch = String(repeating: "  ", count: min(max(line.depth - 1, 0), Self.shownDepth))
        var cells = [
          "\(task.pid)", Self.known(task.parent), "\(task.tgid)", Self.known(task.user), Self.known(task.cpu),
          task.state, task.startTime.map(Words.seconds) ?? "?",
        ]
        if hasRun { cells.append(task.lastRun.map(Words.seconds) ?? "?") }
        cells += [Words.hex(task.structure), line.depth == 0 ? task.comm : "\(branch)\\_ \(task.comm)"]
        table.row(cells)
      }
    }
  }

  private static func known(_ value: (some BinaryInteger)?) -> String { value.map { "\($0)" } ?? "?" }
}
