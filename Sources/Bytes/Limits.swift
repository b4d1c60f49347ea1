/// How much is read and kept of what is outside, each with its reason.
enum Limits {
  /// Bytes that are copied for one look at what does not lie together in a mapped file. The largest things
  /// that are looked at as a whole, the names of kallsyms and BTF, have some 20 MiB.
  static let readAtOnce = 64 << 20
  /// Holes of a file that are gone around when it is looked through: a copy without zeros has one for each run of pages
  /// of zeros, and what lies after so many is looked through with its zeros.
  static let fileHoles = 1 << 18
}
