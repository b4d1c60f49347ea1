import Bytes

/// The elements of a list, as far as it could be followed.
public struct Listing<Element: Sendable>: Sendable {
  /// The elements found.
  public var elements: [Element] = []
  /// What is missing and why; empty if the list is complete.
  public var notes: [Diagnostic] = []

  /// Adds a note on what is missing, up to `Limits.listNotes`; one more says that there are others.
  mutating func note(_ code: Diagnostic.Code, _ subject: String? = nil, text: @autoclosure () -> String) {
    notes.note(code, subject, text: text())
  }

  /// Adds notes.
  mutating func note(_ notes: [Diagnostic]) {
    for note in notes { self.note(note.code, note.subject, text: note.text) }
  }
}

extension [Diagnostic] {
  /// Adds a note on what is missing, up to `Limits.listNotes`; one more says that there are others.
  mutating func note(_ code: Diagnostic.Code, _ subject: String? = nil, text: @autoclosure () -> String) {
    guard count <= Limits.listNotes else { return }
    append(
      count < Limits.listNotes
        ? Diagnostic(code, subject, text())
        : Diagnostic(.notesOmitted, "more is missing, for reasons of the same kind"))
  }
}
