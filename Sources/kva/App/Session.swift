import ArgumentParser
import Glibc
import KernelVA

extension ExitCode {
  /// Something that was asked for was not found.
  static let notFound = ExitCode(1)
}

/// A dump that is asked questions: opened, and searched for its kernel, when the first of them needs it.
///
/// A process of one command has one for that; `batch` and `shell` keep theirs, and with it all that the library
/// has found out and kept.
final class Session {
  /// How the dump is opened.
  let options: DumpOptions
  /// Where answers go.
  var output: Output
  /// Whether standard input may hold queries.
  let readsQueries: Bool

  private var opened: DumpFile?
  private var found: Result<Kernel, any Error>?
  private var regimes: [String: TranslationRegime] = [:]
  private var problems: [Problem]?

  /// Prepares to open what `options` says.
  ///
  /// - Parameters:
  ///   - readsQueries: whether a command without queries reads them from standard input.
  ///   - keepsProblems: what is wrong is kept for `takeProblems`, instead of told on standard error.
  init(_ options: DumpOptions, _ output: Output, readsQueries: Bool = true, keepsProblems: Bool = false) {
    self.options = options
    self.output = output
    self.readsQueries = readsQueries
    problems = keepsProblems ? [] : nil
  }

  /// The dump.
  ///
  /// - Throws: `LocatedError` when it cannot be opened.
  var dump: DumpFile {
    get throws {
      if let opened { return opened }
      let dump = try options.open()
      opened = dump
      return dump
    }
  }

  /// Its kernel.
  ///
  /// - Throws: `LocatedError` when it cannot be found; the same each time.
  var kernel: Kernel {
    get throws {
      if let found { return try found.get() }
      let dump = try dump
      let result = Result { try options.kernel(in: dump) }
      found = result
      return try result.get()
    }
  }

  /// Goes on without the memory of processes and files: it reads as filtered out.
  ///
  /// - Throws: `LocatedError` where the dump does not tell whose a page is.
  func leaveOutUserMemory() throws {
    guard let rest = try kernel.dumpWithoutUserMemory else {
      throw LocatedError(
        file: options.dump, kind: .missing, "does not tell which pages are of processes, so that none can be left out")
    }
    opened = rest
    found = nil
  }

  /// The tables that `options` asks for; nil if it asks for none. That there are none ends the command.
  func regime(_ options: TablesOptions) throws -> TranslationRegime? {
    guard let given = options.given else { return nil }
    if let known = regimes[given] { return known }
    let kernel = try kernel
    switch options.ttbr0.map({ kernel.userRegime($0) }) ?? kernel.hypervisorRegime {
    case .success(let regime):
      if regimes.count >= Limits.keptParses { regimes = [:] }
      regimes[given] = regime
      return regime
    case .failure(let failure):
      report(failure.diagnostic.explaining(given))
      throw ExitCode.notFound
    }
  }

  /// Says what was not found, or is wrong with the answer.
  ///
  /// - Parameter file: the dump that it is about; nil for that of the session.
  func report(_ diagnostic: Diagnostic, of file: String? = nil) {
    report(
      Problem(kind: .notFound, file: file ?? options.dump, code: diagnostic.code, message: diagnostic.advised))
  }

  /// Says what was not found, or is wrong with the answer.
  func report(_ code: Diagnostic.Code, _ message: String) { report(Diagnostic(code, message)) }

  /// Says what is wrong with a file.
  func report(_ error: LocatedError) { report(Problem(error)) }

  private func report(_ problem: Problem) {
    guard let count = problems?.count else {
      // What was answered before stands before it on a terminal.
      output.flush()
      return Diagnostics.report(problem.description)
    }
    if count < Limits.keptProblems { problems?.append(problem) }
  }

  /// Ends a command that nobody listens to any more: asked between the parts of an answer that may be long.
  ///
  /// - Throws: `ExitCode`, which is not 0 after an interrupt; a program that does not read to the end is no failure.
  func checkListener() throws {
    if output.isDropped { throw Interrupt.isPending ? ExitCode(128 + SIGINT) : ExitCode.success }
  }

  /// What was told since this was asked last.
  func takeProblems() -> [Problem] {
    guard let taken = problems else { return [] }
    problems = []
    return taken
  }
}
