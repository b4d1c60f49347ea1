import KernelVA

extension Diagnostic {
  /// The text with the advice.
  var advised: String { advice.map { "\(text); \($0)" } ?? text }

  private var advice: String? {
    // The list itself has the rest of a report's notes.
    if code == .notesOmitted {
      let commands = ["log": "dmesg", "stacks": "stack"]
      return subject.map { "see kva \(commands[$0] ?? $0)" }
    }
    return code.advice
  }
}

extension Diagnostic.Code {
  /// What to do about it with kva's options and commands; nil if nothing can be done.
  var advice: String? {
    switch self {
    case .symbolUnknown, .kallsymsMissing: "give --vmlinux or --system-map"
    case .symbolWrong: "give the right --vmlinux"
    case .noSuchSymbol: "give --vmlinux FILE for more"
    case .typeUnknown, .threadsUnlisted: "give --vmlinux FILE, with DWARF"
    case .vmlinuxMismatch: "give its vmlinux, or --force"
    case .notADump: "a vmlinux is given with --vmlinux"
    case .kernelAtEL2: "ask without --el2"
    case .userAddress: "say with --ttbr0 which tables translate it"
    case .noSuchTask: "kva tasks lists them"
    case .noSuchCPU, .layoutUnknown: "see kva info"
    case .noSuchRegion: "kva regions lists those it has"
    case .oddEntry, .passCutShort: "see kva audit"
    default: nil
    }
  }
}

extension JSONObject {
  /// `warnings` or `notes` as text, with what to do about each.
  mutating func strings(_ name: String, _ diagnostics: [Diagnostic]) {
    strings(name, diagnostics.map(\.advised))
  }

  /// Diagnostics as objects.
  mutating func diagnostics(_ diagnostics: [Diagnostic]) {
    array("diagnostics", diagnostics) { object, diagnostic in
      object.string("code", diagnostic.code.rawValue)
      object.string("subject", diagnostic.subject)
      object.string("text", diagnostic.text)
    }
  }

  /// `message` and its code; nothing without one.
  mutating func message(of resolution: Resolution) {
    guard let message = resolution.message else { return }
    string("message", Words.message(of: resolution))
    string("messageCode", message.code.rawValue)
  }

  /// `message` or `doubt`, and its code; nothing without one.
  mutating func diagnostic(_ name: String, _ diagnostic: Diagnostic?) {
    guard let diagnostic else { return }
    string(name, diagnostic.advised)
    string("\(name)Code", diagnostic.code.rawValue)
  }
}
