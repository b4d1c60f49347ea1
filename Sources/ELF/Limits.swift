/// How much of what an ELF file claims is believed, each with its reason.
///
/// Memory follows what is used, never what a field announces; these bound the loops and the few allocations that follow
/// a count in the file.
enum Limits {
  /// Bytes of a section's name that are kept: the longest name looked for has 20.
  static let sectionName = 64
  /// Bytes of a build ID: SHA-1 has 20, the longest hash that a linker offers has 32.
  static let buildID = 64
}
