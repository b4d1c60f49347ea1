import Glibc

/// Another program in place of this process: it takes over the terminal, the signals and the exit status.
///
/// Safety: the arguments of execvp(3) are NUL-terminated copies in an array that ends with nil, freed if it returns,
/// that is, if it fails. The path from realpath(3) ends with NUL; it is copied, and freed once.
package enum ProgramReplacement {
  /// Runs `program`, looked up in PATH if its name has no slash.
  ///
  /// - Parameter arguments: the first is what it takes to be its own name.
  /// - Returns: `errno`, if it cannot be run.
  package static func run(_ program: String, _ arguments: [String]) -> Int32 {
    var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    unsafe execvp(program, &words)
    let code = errno
    for index in unsafe words.indices { unsafe free(words[index]) }
    return code
  }

  /// The path of this process's executable.
  package static var ownPath: String? {
    guard let path = unsafe realpath("/proc/self/exe", nil) else { return nil }
    defer { unsafe free(path) }
    return unsafe String(cString: path)
  }
}
