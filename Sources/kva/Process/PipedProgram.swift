import KernelVA

extension ChildProgram {
  /// What reads what kva writes: `command`, run by sh(1).
  ///
  /// - Throws: `LocatedError` when no process can be started.
  static func reading(_ command: String) throws(LocatedError) -> ChildProgram {
    do throws(Failure) {
      return try ChildProgram("/bin/sh", ["sh", "-c", command], pipe: .input)
    } catch {
      let reason = SystemCall.reason(error.code)
      throw LocatedError(file: command, kind: .system(error.code), "cannot be started: \(reason)")
    }
  }
}

/// The pager that people have chosen.
enum Pager {
  /// What runs `program`, or less(1) if that is empty. (LESS as git(1) sets it: colours as they are, and no paging of
  /// what fits the screen)
  static func command(_ program: String) -> String { "LESS=\"${LESS-FRX}\" " + (program.isEmpty ? "less" : program) }
}
