import Bytes
import DebugInfo

/// Where debuginfo of the dump's kernel is looked for, beside the vmlinux that is given.
///
/// A file is used only if its build-ID is that of the dump, and opened only for a question that nothing cheaper
/// answers.
public struct DebugInfoSearch: Sendable {
  /// Look where distributions install it.
  package var isEnabled: Bool
  /// What stands before each of those places, such as where an image is mounted.
  package var root: String
  /// Ask these servers, when it is not installed.
  package var debuginfod: Debuginfod?
  /// Called with why a file that was found is not used.
  package var report: (@Sendable (LocatedError) -> Void)?

  /// Looks where distributions install it, unless told otherwise.
  public init(
    isEnabled: Bool = true, root: String = "", debuginfod: Debuginfod? = nil,
    report: (@Sendable (LocatedError) -> Void)? = nil
  ) {
    self.isEnabled = isEnabled
    self.root = root
    self.debuginfod = debuginfod
    self.report = report
  }

  /// The files of the kernel that `vmcoreinfo` is of.
  func files(given: ELFImage?, _ vmcoreinfo: VMCoreInfo?) -> DebugFiles {
    let finder =
      isEnabled ? DebugFileFinder(buildID: vmcoreinfo?.buildID, release: vmcoreinfo?.release, root: root) : nil
    return DebugFiles(given: given, finder: finder, debuginfod: debuginfod, report: report)
  }
}
