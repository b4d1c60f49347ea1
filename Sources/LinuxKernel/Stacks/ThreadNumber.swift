/// The thread numbers of CPUs and tasks for debuggers. gdb needs them unique and nonzero, and prints them in decimal.
package enum ThreadNumber {
  /// A CPU: its number plus one.
  package static func cpu(_ number: Int) -> Int { number + 1 }

  /// A task: ten million plus its PID, which is below `PID_MAX_LIMIT` (4 Mi), so that the PID is readable in it.
  package static func task(pid: Int) -> Int { 10_000_000 + pid }

  /// An idle task, whose PID is 0: twenty million plus its index among them.
  package static func idleTask(_ place: Int) -> Int { 20_000_000 + place }
}
