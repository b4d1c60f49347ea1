import Bytes
import Synchronization

/// The vmlinux and debuginfo files of one kernel: the one that was given, those that are found, what a server
/// has. Each is opened when something that only such a file tells is asked for.
package final class DebugFiles: Sendable {
  private let finder: DebugFileFinder?
  private let debuginfod: Debuginfod?
  private let report: (@Sendable (LocatedError) -> Void)?
  private let state: Mutex<State>

  private struct State {
    var opened: [ELFImage]
    /// What was not opened yet, the next one last.
    var candidates: [String]
    var mayFetch: Bool
  }

  /// Knows the files of one kernel.
  ///
  /// - Parameters:
  ///   - given: what the user named.
  ///   - finder: where to look; nil for nowhere.
  ///   - debuginfod: whom to ask where all that has not what is needed; nil for nobody.
  ///   - report: called, at most once for each, with why a file that was found is not used.
  package init(
    given: ELFImage?, finder: DebugFileFinder?, debuginfod: Debuginfod? = nil,
    report: (@Sendable (LocatedError) -> Void)? = nil
  ) {
    self.finder = finder
    self.debuginfod = debuginfod
    self.report = report
    state = Mutex(
      State(
        opened: given.map { [$0] } ?? [], candidates: finder?.candidates.reversed() ?? [],
        mayFetch: finder != nil && debuginfod != nil))
  }

  /// Whether there is any file to ask. None is opened.
  package var isEmpty: Bool {
    state.withLock { $0.opened.isEmpty && $0.candidates.isEmpty && !$0.mayFetch }
  }

  /// The first file with a symbol table; nil if there is none.
  package var withSymbols: ELFImage? { first { $0.hasSymbols } }

  /// The first file with DWARF; nil if there is none.
  package var withDWARF: ELFImage? { first { $0.hasDWARF } }

  private func first(where suits: (ELFImage) -> Bool) -> ELFImage? {
    state.withLock { state in
      if let known = state.opened.first(where: suits) { return known }
      while let finder, let path = next(&state) {
        do throws(LocatedError) {
          let image = try finder.open(path)
          state.opened.append(image)
          if suits(image) { return image }
        } catch {
          report?(error)
        }
      }
      return nil
    }
  }

  /// The next place to look; a server is the last.
  private func next(_ state: inout State) -> String? {
    if let path = state.candidates.popLast() { return path }
    guard state.mayFetch, let finder, let debuginfod else { return nil }
    state.mayFetch = false
    do throws(LocatedError) {
      return try debuginfod.fetch(buildID: finder.buildID)
    } catch {
      report?(error)
      return nil
    }
  }
}
