/// Which pages of a dump go into a file.
package struct PageSelection: Sendable {
  /// What a page is there for.
  package enum Part: String, CaseIterable, Sendable {
    /// Translation tables.
    case tables
    /// The code of the kernel and its modules.
    case text
    /// The variables of the kernel, its modules and its CPUs.
    case data
    /// What describes tasks and their memory.
    case tasks
    /// The ring buffer of printk.
    case log
    /// The stacks of tasks and CPUs.
    case stacks
    /// Constants: types (BTF) and names (kallsyms).
    case types
  }

  /// The parts that are wanted; nil for all there is.
  package var only: Set<Part>?
  /// Whether what belongs to users is left out.
  package var hidesUser: Bool

  package init(only: Set<Part>? = nil, hidesUser: Bool = false) {
    self.only = only
    self.hidesUser = hidesUser
  }

  /// Whether all pages are wanted.
  var isAll: Bool { only == nil && !hidesUser }

  /// What is left out, in words, for the note in the file.
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
