import ArgumentParser
import KernelVA

/// What `kva type --export` writes.
enum TypeFileForm: String, ExpressibleByArgument, CaseIterable {
  /// A C header.
  case c
  /// The BTF of the kernel or of a module.
  case btf
}

extension TypeCommand {
  /// Writes types to a file.
  func export(_ form: TypeFileForm, to path: String, _ kernel: Kernel, _ session: Session) throws {
    try session.options.checkOutput(path)
    do {
      switch form {
      case .btf:
        let bytes = try kernel.exportBTF(ofModule: module, to: path).get()
        session.output.folded { session.output.text("\(path): \(bytes) bytes of BTF\n") }
      case .c:
        let types = names.isEmpty ? try kernel.allTypes(ofModule: module).get() : [try named(kernel)]
        let summary = try kernel.exportHeader(of: types, to: path)
        if summary.isCutShort {
          session.report(
            .typesOmitted, "types were left out: there are too many, or they need each other in too long a chain")
        }
        if summary.opaque > 0 {
          session.report(
            .typeOpaque,
            "\(summary.opaque) structures have bytes for members: no declaration in C gives those their places")
        }
        session.output.folded { session.output.text("\(path): \(summary.definitions) types\n") }
        if summary.isCutShort || summary.opaque > 0 { throw ExitCode.notFound }
      }
    } catch let failure as ExpressionFailure {
      session.report(failure.diagnostic)
      throw ExitCode.notFound
    }
  }

  /// The types that the names and patterns select.
  private func named(_ kernel: Kernel) throws(ExpressionFailure) -> [CType] {
    var types: [CType] = []
    for name in Self.joined(names) {
      if let pattern = TypePattern(name) {
        let before = types.count
        kernel.forEachType { name, type in
          if pattern.matches(name) { types.append(type) }
          return true
        }
        if types.count == before { throw pattern.failure }
      } else {
        types += try kernel.types(named: name).get()
      }
    }
    return types
  }
}

/// A type name pattern with `*` or `?`, and an optional keyword before it.
struct TypePattern {
  private let text: String
  private let space: TypeName.Space?
  private let pattern: NamePattern

  /// nil if `text` is not a pattern.
  init?(_ text: String) {
    guard text.contains("*") || text.contains("?") else { return nil }
    let wanted = TypeName(text)
    self.text = text
    space = wanted.space
    pattern = NamePattern(wanted.name)
  }

  /// Whether `name` matches the pattern.
  func matches(_ name: TypeName) -> Bool { (space == nil || space == name.space) && pattern.matches(name.name) }

  /// The error if no name matches.
  var failure: ExpressionFailure {
    ExpressionFailure(Diagnostic(.noSuchType, "no type is named like '\(text)'"))
  }
}
