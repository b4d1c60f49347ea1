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

  /// One task as a line: PID, process, CPU, state, task_struct, stack, name.
  func taskText(_ task: KernelTask) {
    column("\(task.pid)", 7)
    column("\(task.tgid)", 8)
    column(task.cpu.map(String.init) ?? "?", 4)
    text(" \(task.state) ")
    hex(task.structure)
    text(" ")
    hex(task.stack)
    text(" ")
    printable(task.comm)
    newline()
  }
}
