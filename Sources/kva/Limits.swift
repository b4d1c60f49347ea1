/// How much of what is typed or sent to kva is taken, each with its reason.
enum Limits {
  /// Bytes of one query or option value read from standard input.
  static let queryBytes = 64 << 10
  /// Bytes of one request to `batch`: ten thousand addresses at once are 200 KiB.
  static let requestBytes = 4 << 20
  /// Arrays and objects inside one another in a request: a sound one has three.
  static let jsonDepth = 16
  /// Commands, each with its options, that are kept parsed between requests, and user tables that are kept found.
  static let keptParses = 256
  /// Problems that are told of one request: a thousand broken lists say no more than these.
  static let keptProblems = 256
  /// Bytes of the file of commands that the shell begins with.
  static let startFileBytes = 64 << 10
  /// Rows of a table that are kept until its columns are measured: the first screens, and no wait for the rest.
  static let measuredRows = 1000
  /// Bytes that a command may print for a debugger.
  static let collectedBytes = 64 << 20
}
