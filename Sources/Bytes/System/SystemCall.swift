import Glibc

/// What system calls and the environment say, as Swift's own types.
///
/// Safety: strerror and getenv give strings that end with NUL, good until the next call of the same thread or until
/// the environment is changed, which kva never does; both are copied at once.
package enum SystemCall {
  /// What the error `code` of errno(3) is called, as "No such file or directory".
  package static func reason(_ code: Int32) -> String {
    unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }

  /// The value of the environment's variable `name`; nil if it is not set.
  package static func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }
}
