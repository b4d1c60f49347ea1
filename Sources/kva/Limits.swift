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
  /// Lists and trees that were asked for in part and are kept to go on with.
  static let keptWalks = 16
  /// Problems that are told of one request: a thousand broken lists say no more than these.
  static let keptProblems = 256
  /// Bytes of the file of commands that the shell begins with.
  static let startFileBytes = 64 << 10
  /// Rows of a table that are kept until its columns are measured: the first screens, and no wait for the rest.
  static let measuredRows = 1000
  /// Bytes that a command may print for a debugger.
  static let collectedBytes = 64 << 20
  /// Runs of frames with one use that a map of RAM has: a page of 2 MB holds them.
  static let drawnRuns = 200_000
  /// Bytes that the entries of all tables take in a page: in base64 a third more.
  static let drawnTableBytes = 6 << 20
  /// Kinds of entries that a page tells apart: sound tables have some dozens.
  static let drawnKinds = 1 << 14
  /// Entries that map nothing though they are not zero, and unreadable parts of tables, that a page shows.
  static let drawnOddities = 4096
  /// Named areas of addresses that a page shows.
  static let drawnAreas = 20_000
  /// Different stacks that a page shows.
  static let drawnStacks = 200
  /// Findings of the audit that a page lists.
  static let drawnFindings = 500
}
