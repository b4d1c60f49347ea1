import Glibc

/// Which file a path leads to, whatever other paths lead to it.
///
/// Safety: stat(2) fills a variable of its own type and reads the path, which lives through the call.
package struct FileIdentity: Hashable, Sendable {
  private let device: dev_t
  private let number: ino_t

  /// Looks at `path`; nil if there is no regular file.
  package init?(path: String) {
    var status = stat()
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    self.init(status)
  }

  /// The file that `status` is of.
  init(_ status: stat) {
    device = status.st_dev
    number = status.st_ino
  }
}
