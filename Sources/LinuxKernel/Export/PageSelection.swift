/// Which pages of a dump go into a file.
package struct PageSelection: Sendable {
  /// A category of pages.
  package enum Part: String, CaseIterable, Sendable {
    /// Page tables.
    case tables
    /// The code of the kernel and its modules.
    case text
    /// The variables of the kernel and its modules, per-CPU ones included.
    case data
    /// Objects that describe tasks and their memory.
    case tasks
    /// The printk ring buffer.
    case log
    /// The stacks of tasks and CPUs.
    case stacks
    /// Constants: types (BTF) and names (kallsyms).
    case types
  }

  /// The categories to keep; nil for all pages.
  package var only: Set<Part>?
  /// Whether user data is left out.
  package var hidesUser: Bool

  package init(only: Set<Part>? = nil, hidesUser: Bool = false) {
    self.only = only
    self.hidesUser = hidesUser
  }

  /// Whether all pages are kept.
  var isAll: Bool { only == nil && !hidesUser }

  /// What is left out, as text for the note in the file.
  var omissions: [String] {
    var words: [String] = []
    if let only {
      let parts = Part.allCases.filter { only.contains($0) || $0 == .tables }.map(\.rawValue)
      words.append("all but \(parts.joined(separator: ", "))")
    }
    if hidesUser {
      words += [
        "memory of processes", "page cache", "free pages", "slabs and payloads of keys", "slabs of cryptography",
        "pages whose use is not known",
      ]
    }
    return words
  }
}
