import KernelVA

extension JSONObject {
  /// The fields of a frame.
  mutating func frame(_ named: NamedFrame, _ kernel: Kernel) {
    hex("pc", named.frame.pc)
    string("symbol", named.symbol?.name)
    number("offset", named.symbol == nil ? nil : named.offset)
    number("size", named.symbol?.size)
    string("module", named.symbol?.module)
    hex("sp", named.frame.sp)
    string("kind", named.frame.kind.rawValue)
    object("source", kernel.sourceLine(at: named.frame.symbolAddress)) { $0.sourceLine($1) }
  }

  /// The fields of a lock that a task waits for.
  private mutating func lockWait(_ wait: LockWait) {
    string("kind", wait.kind.rawValue)
    hex("lock", wait.lock)
    object("owner", wait.owner) { object, owner in
      object.hex("task", owner.structure)
      object.number("pid", owner.pid)
      object.string("comm", owner.comm)
    }
    bool("readers", wait.isHeldByReaders)
  }

  /// The fields of a stack in a report.
  mutating func reportedStack(_ stack: TaskStack) {
    number("pid", stack.task.pid)
    string("comm", stack.task.comm)
    number("cpu", stack.runningOn ?? stack.task.cpu)
    string("state", stack.task.state)
    bool("running", stack.runningOn != nil)
    string("hash", stack.hash)
    strings("trace", stack.chain.map(\.text))
    object("waitsFor", stack.wait) { $0.lockWait($1) }
    number("sinceRun", stack.sinceRun)
  }

  /// The fields of a stack.
  mutating func stack(_ stack: TaskStack, _ kernel: Kernel) {
    hex("task", stack.task.structure)
    number("pid", stack.task.pid)
    number("tgid", stack.task.tgid)
    string("comm", stack.task.comm)
    number("cpu", stack.runningOn ?? stack.task.cpu)
    string("state", stack.task.state)
    bool("running", stack.runningOn != nil)
    array("frames", stack.frames) { $0.frame($1, kernel) }
    string("end", stack.trace.end.rawValue)
    string("message", stack.trace.message?.advised)
    string("messageCode", stack.trace.message?.code.rawValue)
    string("hash", stack.hash)
    object("shadow", stack.shadow) { object, shadow in
      object.number("frames", shadow.entries.count)
      object.bool("agrees", shadow.agrees)
      object.string("message", shadow.message?.advised)
      object.string("messageCode", shadow.message?.code.rawValue)
    }
    object("waitsFor", stack.wait) { $0.lockWait($1) }
    number("sinceRun", stack.sinceRun)
    object("hypervisor", kernel.hypervisorTrace(of: stack)) { object, trace in
      object.array("frames", trace.frames) { $0.frame($1, kernel) }
      object.string("message", trace.message?.advised)
      object.string("messageCode", trace.message?.code.rawValue)
    }
    object("user", stack.trace.user) { object, registers in
      object.hex("pc", registers.pc)
      object.hex("sp", registers.sp)
    }
  }
}

extension Output {
  /// One stack as a JSON object.
  func stackJSON(_ stack: TaskStack, _ kernel: Kernel) {
    jsonLine { $0.stack(stack, kernel) }
  }

  /// Equal stacks as a JSON object.
  func stackGroupJSON(_ hash: String, _ stacks: [TaskStack], _ kernel: Kernel) {
    jsonLine { object in
      object.string("hash", hash)
      object.number("count", stacks.count)
      object.numbers("tasks", stacks.map(\.task.pid))
      object.array("frames", stacks.first?.frames ?? []) { $0.frame($1, kernel) }
    }
  }

  /// One stack as an oops prints it.
  func stackText(_ stack: TaskStack, _ kernel: Kernel) {
    folded {
      stackLines(stack, kernel)
    }
  }

  private func stackLines(_ stack: TaskStack, _ kernel: Kernel) {
    let task = stack.task
    text("PID: \(task.pid)  TASK: ")
    hex(task.structure)
    text("  CPU: \((stack.runningOn ?? task.cpu).map(String.init) ?? "?")  STATE: \(task.state)  COMMAND: ")
    printable(task.comm)
    if stack.runningOn != nil { text("  (running)") }
    if let since = stack.sinceRun { text("  LAST RAN: \(Words.seconds(since)) s ago") }
    newline()
    chainText(stack, kernel)
  }

  /// Equal stacks, shown once.
  func stackGroupText(_ hash: String, _ stacks: [TaskStack], _ kernel: Kernel) {
    folded { stackGroupLines(hash, stacks, kernel) }
  }

  private func stackGroupLines(_ hash: String, _ stacks: [TaskStack], _ kernel: Kernel) {
    text("\(stacks.count) \(stacks.count == 1 ? "task" : "tasks"), stack \(hash):")
    for stack in stacks.prefix(Self.shownTasks) {
      text(" ")
      printable(stack.task.comm)
      text("(\(stack.task.pid))")
    }
    if stacks.count > Self.shownTasks { text(" and \(stacks.count - Self.shownTasks) more") }
    newline()
    if let first = stacks.first { chainText(first, kernel) }
  }

  /// The most tasks of a group that are named.
  private static var shownTasks: Int { 8 }

  private func framesText(_ frames: [NamedFrame], _ kernel: Kernel) {
    for named in frames {
      text(" ")
      text(named.text)
      switch named.frame.kind {
      case .call: break
      case .interrupted: text("  (interrupted)")
      case .link: text("  (x30; not part of the chain)")
      case .trampoline: text("  (through a trampoline)")
      case .scanned: text("  (scanned)")
      }
      if let line = kernel.sourceLine(at: named.frame.symbolAddress) { text("  \(line)") }
      newline()
    }
  }

  private func chainText(_ stack: TaskStack, _ kernel: Kernel) {
    framesText(stack.frames, kernel)
    if let message = stack.trace.message {
      text(" broken: \(message.advised)")
      newline()
    }
    if let wait = stack.wait {
      text(" waits for ")
      printable(Words.wait(wait))
      newline()
    }
    if let message = stack.shadow?.message {
      text(" shadow call stack: \(message.advised)")
      newline()
    }
    if let trace = kernel.hypervisorTrace(of: stack) {
      text(" panicked at EL2, in:\n")
      framesText(trace.frames, kernel)
      if let message = trace.message { text(" broken: \(message.advised)\n") }
    }
    if let user = stack.trace.user {
      text(" user space: pc ")
      hex(user.pc)
      text("  sp ")
      hex(user.sp)
      newline()
    }
  }
}

extension Words {
  /// A lock that a task waits for, and its owner.
  static func wait(_ wait: LockWait) -> String {
    let holder = wait.isHeldByReaders == true ? ", held by readers, one of them" : ", held by"
    let owner = wait.owner.map { "\(holder) \($0.comm), pid \($0.pid)" } ?? ""
    return "the \(wait.kind.rawValue) at \(hex(wait.lock))\(owner)"
  }
}
