import Bytes
import Synchronization

/// The vmlinux and debuginfo files of a kernel: the one given, those found, and those on a server. Each is opened when
/// something that only such a file has is needed.
package final class DebugFiles: Sendable {
  private let finder: DebugFileFinder?
  private let debuginfod: Debuginfod?
  private let report: (@Sendable (LocatedError) -> Void)?
  private let state: Mutex<State>

  private struct State {
    var opened: [ELFImage]
    /// The paths not yet opened, the next one last.
    var candidates: [String]
    var mayFetch: Bool
  }

  /// The files of one kernel.
  ///
  /// - Parameters:
  ///   - given: the file that the user named.
  ///   - finder: where to look; nil for nowhere.
  ///   - debuginfod: the servers to ask if none of these has what is needed; nil for none.
  ///   - report: called, at most once for each, with the reason why a file that was found is not used.
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

  /// Whether there is no file to use. No file is opened to find out.
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

  /// The next path to try; a server comes last.
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
