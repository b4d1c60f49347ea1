import KernelVA

/// The selected tasks, in output order.
struct TaskSelection {
  /// The state letters of ps(1).
  static let states = "RSDTtXZPI"

  private(set) var lines: [TaskLine]
  /// What was requested but not found, one sentence each.
  private(set) var missing: [Diagnostic] = []
  private let all: [KernelTask]

  /// - Parameters:
  ///   - names: PIDs, patterns of names, or addresses; all tasks if empty.
  ///   - withThreads: whether a task includes the other threads of its process.
  init(_ all: [KernelTask], named names: [String], withThreads: Bool) {
    self.all = all
    guard !names.isEmpty else {
      lines = all.map { TaskLine(task: $0) }
      return
    }
    var chosen: Set<UInt64> = []
    for name in names {
      let found = all.filter(Self.test(name))
      if found.isEmpty, !all.isEmpty { missing.append(Diagnostic(.noneMatches, name, "there is no task '\(name)'")) }
      chosen.formUnion(found.map(\.structure))
    }
    let groups = withThreads ? Set(all.filter { chosen.contains($0.structure) }.map(\.tgid)) : []
    lines = all.filter { chosen.contains($0.structure) || groups.contains($0.tgid) }.map { TaskLine(task: $0) }
  }

  private static func test(_ name: String) -> (KernelTask) -> Bool {
    if let pid = Int(name) { return { $0.pid == pid } }
    if name.hasPrefix("0x"), let address = Query.number(name) { return { $0.structure == address } }
    let pattern = NamePattern(name)
    return { pattern.matches($0.comm) }
  }

  /// Keeps the tasks in one of the states of `letters`.
  mutating func keep(states letters: String) {
    let hadAny = !lines.isEmpty
    lines = lines.filter { letters.contains($0.task.state) }
    guard lines.isEmpty, hadAny else { return }
    let unknown = all.contains { $0.state == "?" }
    missing.append(
      unknown
        ? Diagnostic(.typeUnknown, "task_struct", "the states of tasks are not known")
        : Diagnostic(.noneMatches, letters, "no task is in state \(letters)"))
  }

  /// Puts each process after its parent, with all its descendants.
  mutating func makeTree(withThreads: Bool) {
    let shown = Set(lines.map(\.task.structure))
    var children: [Int: [KernelTask]] = [:]
    var threads: [Int: [KernelTask]] = [:]
    let leaders = all.filter { $0.pid == $0.tgid }
    let known = Set(leaders.map(\.pid))
    for task in all where task.pid != task.tgid { threads[task.tgid, default: []].append(task) }
    var roots: [KernelTask] = []
    let isWhole = shown.count == all.count
    for task in leaders {
      // The first task is its own parent.
      let parent = task.parent.flatMap { $0 != task.pid && known.contains($0) ? $0 : nil }
      if let parent { children[parent, default: []].append(task) }
      if isWhole ? parent == nil : shown.contains(task.structure) { roots.append(task) }
    }
    var seen: Set<UInt64> = []
    lines = []
    // In a damaged dump, parents may form a cycle that no root leads to; those come last.
    for root in roots + (isWhole ? leaders : []) {
      var stack = [TaskLine(task: root)]
      while let line = stack.popLast() {
        guard seen.insert(line.task.structure).inserted else { continue }
        lines.append(line)
        guard line.task.pid == line.task.tgid else { continue }
        let below = children[line.task.pid] ?? []
        let own = withThreads ? threads[line.task.pid] ?? [] : []
        stack += (own + below).reversed().map { TaskLine(task: $0, depth: line.depth + 1) }
      }
    }
  }
}
