import ArgumentParser
import Glibc
import KernelVA

extension ExitCode {
  /// Something requested was not found.
  static let notFound = ExitCode(1)
}

/// A dump being queried: opened, and searched for its kernel, when first needed.
///
/// A process that runs one command has one for that; `batch` and `shell` keep theirs, with everything that the library
/// has cached.
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
  /// Lists and trees that were asked for in part.
  var containerWalks = ContainerWalks()

  /// Prepares to open the dump of `options`.
  ///
  /// - Parameters:
  ///   - readsQueries: whether a command without queries reads them from standard input.
  ///   - keepsProblems: problems are kept for `takeProblems` instead of being written to standard error.
  init(_ options: DumpOptions, _ output: Output, readsQueries: Bool = true, keepsProblems: Bool = false) {
    self.options = options
    self.output = output
    self.readsQueries = readsQueries
    problems = keepsProblems ? [] : nil
  }

  /// The dump.
  ///
  /// - Throws: `LocatedError` if it cannot be opened.
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
  /// - Throws: `LocatedError` if it cannot be found; the same each time.
  var kernel: Kernel {
    get throws {
      if let found { return try found.get() }
      let dump = try dump
      let result = Result { try options.kernel(in: dump) }
      found = result
      return try result.get()
    }
  }

  /// Continues without the memory of processes and files, which then reads as filtered out.
  ///
  /// - Throws: `LocatedError` if the dump does not show the owners of pages.
  func leaveOutUserMemory() throws {
    guard let rest = try kernel.dumpWithoutUserMemory else {
      throw LocatedError(
        file: options.dump, kind: .missing, "does not tell which pages are of processes, so that none can be left out")
    }
    opened = rest
    found = nil
  }

  /// The tables that `options` selects; nil if it selects none. The command ends if they do not exist.
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
  /// - Parameter file: the dump concerned; nil for the session's.
  func report(_ diagnostic: Diagnostic, of file: String? = nil) {
    report(
      Problem(kind: .notFound, file: file ?? options.dump, code: diagnostic.code, message: diagnostic.advised))
  }

  /// Says what was not found, or is wrong with the answer.
  func report(_ code: Diagnostic.Code, _ message: String) { report(Diagnostic(code, message)) }

  /// Reports what is wrong with a file.
  func report(_ error: LocatedError) { report(Problem(error)) }

  private func report(_ problem: Problem) {
    guard let count = problems?.count else {
      // Earlier output comes first on a terminal.
      output.flush()
      return Diagnostics.report(problem.description)
    }
    if count < Limits.keptProblems { problems?.append(problem) }
  }

  /// Ends a command that nobody listens to any more: called between the parts of long answers.
  ///
  /// - Throws: `ExitCode`, nonzero after an interrupt; it is not a failure if a program stops reading early.
  func checkListener() throws {
    if output.isDropped { throw Interrupt.isPending ? ExitCode(128 + SIGINT) : ExitCode.success }
  }

  /// The problems reported since the last call.
  func takeProblems() -> [Problem] {
    guard let taken = problems else { return [] }
    problems = []
    return taken
  }
}
