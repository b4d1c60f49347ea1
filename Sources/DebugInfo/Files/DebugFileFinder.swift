import Bytes

/// Finds the vmlinux or debuginfo file of a kernel where distributions install it.
///
/// A search costs a `stat` for each path. A file is used only if its build ID is the kernel's.
package struct DebugFileFinder: Sendable {
  /// The kernel's build ID in lowercase hex.
  package let buildID: String
  /// The kernel's release, as `uname -r` prints it.
  package let release: String?
  /// A prefix of every path: empty, except for tests and mounted images.
  package let root: String

  /// Looks for the files of one kernel.
  ///
  /// - Returns: nil if the dump has no build ID, so that no file could be trusted.
  package init?(buildID: String?, release: String?, root: String = "") {
    guard let buildID, Self.isBuildID(buildID) else { return nil }
    self.buildID = buildID
    self.root = root
    // This is text from a dump: it must not lead out of the kernel's directory.
    self.release = release.flatMap { Self.isRelease($0) ? $0 : nil }
  }

  /// Whether `text` is a build ID: 2 to 64 bytes in lowercase hex.
  static func isBuildID(_ text: String) -> Bool {
    (4...128).contains(text.utf8.count) && text.utf8.count.isMultiple(of: 2)
      && text.utf8.allSatisfy {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
      }
  }

  private static func isRelease(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 255 && text != "." && text != ".."
      && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }
  }

  /// The paths where the file may be, in the order used by drgn and crash.
  package var places: [String] {
    var places = ["/usr/lib/debug/.build-id/\(buildID.prefix(2))/\(buildID.dropFirst(2)).debug"]
    if let release {
      places += [
        "/usr/lib/debug/boot/vmlinux-\(release)",
        "/usr/lib/debug/lib/modules/\(release)/vmlinux",
        "/usr/lib/debug/boot/vmlinux-\(release).debug",
        "/lib/modules/\(release)/build/vmlinux",
        "/lib/modules/\(release)/vmlinux",
        "/boot/vmlinux-\(release)",
      ]
    }
    return places.map { root + $0 }
  }

  /// The paths where there is a file; none is opened. A file with several paths is listed once.
  package var candidates: [String] {
    var seen: Set<FileIdentity> = []
    return places.filter { place in FileIdentity(path: place).map { seen.insert($0).inserted } ?? false }
  }

  /// Opens the file at `path`, if it belongs to the kernel.
  ///
  /// - Throws: `LocatedError` if it cannot be read, or has another build ID or none.
  package func open(_ path: String) throws(LocatedError) -> ELFImage {
    let image = try ELFImage(path: path)
    guard let theirs = image.buildID else {
      throw LocatedError(file: path, kind: .mismatch, "is not used: it has no build-ID to know it by")
    }
    guard theirs == buildID else {
      throw LocatedError(
        file: path, kind: .mismatch, "is not used: its build-ID is \(theirs), the dump's is \(buildID)")
    }
    return image
  }
}
