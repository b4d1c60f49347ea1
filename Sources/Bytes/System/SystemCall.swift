import Glibc

/// Results of system calls and the environment as Swift types.
///
/// Safety: strerror and getenv return NUL-terminated strings, valid until the thread's next call or until the
/// environment changes, which kva never does; both are copied at once.
package enum SystemCall {
  /// The message for the errno(3) value `code`, such as "No such file or directory".
  package static func reason(_ code: Int32) -> String {
    unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
  }

  /// The value of the environment variable `name`; nil if it is not set.
  package static func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
  }
}
