import Bytes
import DebugInfo

/// Where to look for debuginfo of the dump's kernel, besides a given vmlinux.
///
/// A file is used only if its build ID matches the dump's, and opened only for what no cheaper source provides.
public struct DebugInfoSearch: Sendable {
  /// Look where distributions install it.
  package var isEnabled: Bool
  /// A prefix of each of those paths, such as the mount point of an image.
  package var root: String
  /// The servers to ask if it is not installed.
  package var debuginfod: Debuginfod?
  /// Called with the reason why a file that was found is not used.
  package var report: (@Sendable (LocatedError) -> Void)?

  /// By default looks where distributions install it.
  public init(
    isEnabled: Bool = true, root: String = "", debuginfod: Debuginfod? = nil,
    report: (@Sendable (LocatedError) -> Void)? = nil
  ) {
    self.isEnabled = isEnabled
    self.root = root
    self.debuginfod = debuginfod
    self.report = report
  }

  /// The debug files of the kernel that `vmcoreinfo` describes.
  func files(given: ELFImage?, _ vmcoreinfo: VMCoreInfo?) -> DebugFiles {
    let finder =
      isEnabled ? DebugFileFinder(buildID: vmcoreinfo?.buildID, release: vmcoreinfo?.release, root: root) : nil
    return DebugFiles(given: given, finder: finder, debuginfod: debuginfod, report: report)
  }
}
