import ArgumentParser
import KernelVA

extension Session {
  /// What the commands that list something have in common: lets `body` write its lines, and reports the notes
  /// it returns. What is missing from a list makes the exit status 1.
  func list(_ body: (Kernel, Output) throws -> [Diagnostic]) throws {
    let notes = try body(try kernel, output)
    for note in notes { report(note) }
    if !notes.isEmpty { throw ExitCode.notFound }
  }
}
