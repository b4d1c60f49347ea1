import Glibc

/// A POSIX extended regular expression, as in grep -E.
///
/// Safety: regcomp(3) fills a regex_t of this object's own, which is freed with it and never moved, since the object is
/// shared by reference; regexec(3) only reads it. Strings that they get end with NUL and are not kept.
@safe
package final class RegularExpression: @unchecked Sendable {
  /// Why a pattern is malformed, in the words of regerror(3).
  package struct Malformed: Error {
    package let message: String
  }

  private let compiled: UnsafeMutablePointer<regex_t>

  /// - Parameter ignoresCase: whether `a` matches `A`.
  package init(_ pattern: String, ignoresCase: Bool = false) throws(Malformed) {
    let memory = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
    unsafe memory.initialize(to: regex_t())
    let code = unsafe regcomp(memory, pattern, REG_EXTENDED | REG_NOSUB | (ignoresCase ? REG_ICASE : 0))
    guard code == 0 else {
      var text = [CChar](repeating: 0, count: 200)
      unsafe regerror(code, memory, &text, text.count)
      unsafe memory.deallocate()
      throw Malformed(message: String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    unsafe compiled = memory
  }

  deinit {
    unsafe regfree(compiled)
    unsafe compiled.deallocate()
  }

  /// Whether any part of `text` matches.
  package func matches(_ text: String) -> Bool { unsafe regexec(compiled, text, 0, nil, 0) == 0 }
}
