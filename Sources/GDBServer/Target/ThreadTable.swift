import KernelVA

/// A thread as a debugger sees it: a CPU or a task.
struct DebugThread: Sendable {
  /// Whose registers it has.
  enum Subject: Sendable {
    case cpu(CPUState)
    case task(KernelTask)
  }

  /// Its number in the protocol.
  let id: UInt64
  /// Whose registers it has.
  let subject: Subject

  /// What debuggers show in quotes: the name and PID, as ftrace writes them.
  var name: String {
    switch subject {
    case .cpu(let state): "cpu\(state.cpu)"
    case .task(let task): "\(task.comm)-\(task.pid)"
    }
  }

  /// The details that debuggers show after the name.
  var details: String {
    switch subject {
    case .cpu(let state):
      (state.task.map { "ran \($0.comm)-\($0.pid)" } ?? "ran a task that is not known")
        + (state.registers == nil ? ", registers are not in the dump" : "")
    case .task(let task): "PID \(task.pid), \(task.state)" + (task.tgid == task.pid ? "" : ", process \(task.tgid)")
    }
  }

  /// The CPU that it runs or last ran on.
  var cpu: Int? {
    switch subject {
    case .cpu(let state): state.cpu
    case .task(let task): task.cpu
    }
  }

  /// The root table of its process; nil for a kernel thread.
  var userTables: PhysicalAddress? {
    switch subject {
    case .cpu(let state): state.userTables ?? state.task?.root
    case .task(let task): task.root
    }
  }
}

/// The threads of a dump: its CPUs, then every task.
struct ThreadTable: Sendable {
  /// The threads in the order that debuggers list them.
  let all: [DebugThread]
  /// The initial thread: the CPU that died, or else the first.
  let first: UInt64
  private let places: [UInt64: Int]

  init(_ kernel: Kernel) {
    let cpus = kernel.cpus
    var all = cpus.map { DebugThread(id: UInt64(ThreadNumber.cpu($0.cpu)), subject: .cpu($0)) }
    var places: [UInt64: Int] = [:]
    for (place, thread) in all.enumerated() { places[thread.id] = place }
    var idleTasks = 0
    for task in kernel.allTasks {
      let isIdle = task.pid == 0
      let id = UInt64(isIdle ? ThreadNumber.idleTask(idleTasks) : ThreadNumber.task(pid: task.pid))
      if isIdle { idleTasks += 1 }
      // If two tasks claim the same PID, the first is kept.
      guard places[id] == nil else { continue }
      places[id] = all.count
      all.append(DebugThread(id: id, subject: .task(task)))
    }
    self.all = all
    self.places = places
    let died = kernel.panicCPU ?? kernel.crashReason?.cpu
    first = (cpus.first { $0.cpu == died } ?? cpus.first).map { UInt64(ThreadNumber.cpu($0.cpu)) } ?? all.first?.id ?? 1
  }

  /// The thread with this number.
  subscript(id: UInt64) -> DebugThread? { places[id].map { all[$0] } }
}
