import Glibc

/// The identity of the file that a path leads to, whichever of its paths that is.
///
/// Safety: stat(2) fills a variable of its own type and reads the path, which lives through the call.
package struct FileIdentity: Hashable, Sendable {
  private let device: dev_t
  private let number: ino_t

  /// The file at `path`; nil if there is no regular file.
  package init?(path: String) {
    var status = stat()
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    self.init(status)
  }

  /// The file that `status` describes.
  init(_ status: stat) {
    device = status.st_dev
    number = status.st_ino
  }
}
