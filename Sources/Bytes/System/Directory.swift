import Glibc

/// The contents of directories.
///
/// Safety: an entry is copied before the next is read, its name ends with NUL, and the directory is closed after the
/// last.
package enum Directory {
  package enum Kind { case directory, other, absent }

  /// What `path` names.
  package static func kind(of path: String) -> Kind {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return .absent }
    return status.st_mode & S_IFMT == S_IFDIR ? .directory : .other
  }

  /// The names in the directory at `path`, in order; none if it cannot be read.
  package static func names(in path: String) -> [String] {
    guard let directory = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { unsafe String(cString: $0) }
      }
      names.append(name)
    }
    return names.sorted()
  }

  /// The directory of `path` and the name in it.
  package static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
  }

  /// `name` without the digits at its end.
  package static func stem(_ name: String) -> Substring {
    let digits = name.reversed().prefix { $0.isASCII && $0.isNumber }.count
    return name.dropLast(digits)
  }
}
