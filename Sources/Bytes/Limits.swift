/// Limits on what is read and kept of outside data, each with its reason.
enum Limits {
  /// Bytes that are copied at once if they are not contiguous in a mapped file. The largest objects read whole, the
  /// names of kallsyms and BTF, take some 20 MiB.
  static let readAtOnce = 64 << 20
  /// Holes of a file that a scan skips: a sparse copy has one for each run of zero pages. Past this many, holes are
  /// scanned as zeros.
  static let fileHoles = 1 << 18
}
