/// The release of kva.
enum Release {
  /// Its version. This is the only place to change it: `.ci/check-version --write` copies it to the manual pages and the
  /// Python module.
  static let version = "0.1.0"
}
