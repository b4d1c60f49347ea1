import ArgumentParser
import KernelVA

extension Session {
  /// The common part of commands that list something: lets `body` write its lines, and reports the notes it returns. If
  /// anything is missing, the exit status is 1.
  func list(_ body: (Kernel, Output) throws -> [Diagnostic]) throws {
    let notes = try body(try kernel, output)
    for note in notes { report(note) }
    if !notes.isEmpty { throw ExitCode.notFound }
  }
}
