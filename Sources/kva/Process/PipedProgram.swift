import KernelVA

extension ChildProgram {
  /// A program that reads kva's output: `command`, run by sh(1).
  ///
  /// - Throws: `LocatedError` if no process can be started.
  static func reading(_ command: String) throws(LocatedError) -> ChildProgram {
    do throws(Failure) {
      return try ChildProgram("/bin/sh", ["sh", "-c", command], pipe: .input)
    } catch {
      let reason = SystemCall.reason(error.code)
      throw LocatedError(file: command, kind: .system(error.code), "cannot be started: \(reason)")
    }
  }
}

/// The user's pager.
enum Pager {
  /// The shell command for `program`, or less(1) if that is empty. (LESS as git(1) sets it: raw colours, and no paging
  /// if the output fits the screen)
  static func command(_ program: String) -> String { "LESS=\"${LESS-FRX}\" " + (program.isEmpty ? "less" : program) }
}
