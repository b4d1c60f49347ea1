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
  }
}

extension Output {
  /// One task as a JSON object.
  func taskJSON(_ task: KernelTask) {
    jsonLine { $0.task(task) }
  }

  /// Tasks for people.
  func taskTable(_ tasks: some Sequence<KernelTask>) {
    table(
      .right("PID"), .right("TGID"), .right("CPU"), .left("S"), .left("TASK"), .left("STACK"), .left("COMMAND")
    ) { table in
      for task in tasks {
        table.row(
          "\(task.pid)", "\(task.tgid)", task.cpu.map(String.init) ?? "?", task.state, Words.hex(task.structure),
          Words.hex(task.stack), task.comm)
      }
    }
  }
}
