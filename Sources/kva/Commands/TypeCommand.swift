import ArgumentParser
import KernelVA

/// `kva type`: the layout of types.
struct TypeCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "type",
    abstract: "Show the layout of types, from the kernel's own BTF or from DWARF.",
    discussion: """
      NAME is a type as C names it, struct list_head or atomic_t; the keyword may be left out. With * or ? in it, the \
      types that are named like it are listed.

      Example: kva type vmcore task_struct
      Example: kva type vmcore task_struct --offset 0x38
      Example: kva type vmcore 'struct *_operations'
      Example: kva type vmcore --export c -o vmlinux.h
      """,
    aliases: ["whatis"])

  @OptionGroup var options: DumpOptions

  @Argument(help: "Types; none, or -, to read them from standard input.")
  var names: [String] = []

  @Option(help: ArgumentHelp("Name the member at this offset in bytes.", valueName: "bytes"))
  var offset: Number?

  @Option(
    help: ArgumentHelp(
      "Write a C header of all types, or of the names and what they need (c), or the BTF itself (btf).",
      valueName: "form"))
  var export: TypeFileForm?

  @Option(name: .shortAndLong, help: "The file that --export writes.", completion: .file())
  var output: String?

  @Option(help: ArgumentHelp("With --export: only the types of this module.", valueName: "name"))
  var module: String?

  func validate() throws {
    if export != nil, output == nil { throw ValidationError("--export writes a file; name it with -o.") }
    if export == nil, output != nil || module != nil { throw ValidationError("-o and --module go with --export.") }
    if export != nil, options.json || offset != nil {
      throw ValidationError("--export writes a file; it goes with neither --json nor --offset.")
    }
    if !names.isEmpty, export == .btf || module != nil {
      throw ValidationError("Types are named for --export c without --module alone.")
    }
  }

  mutating func take(_ arguments: [String]) { names = arguments }

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    if let absence = kernel.typeAbsence {
      session.report(absence)
      throw ExitCode.notFound
    }
    if let export, let output { return try self.export(export, to: output, kernel, session) }
    var queries = try Queries.parse([])
    queries.arguments = Self.joined(names)
    var allFound = true
    try queries.forEach(session) { query in
      if !answer(query, kernel, session) { allFound = false }
    }
    if !allFound { throw ExitCode.notFound }
  }

  /// The arguments with `struct`, `union` or `enum` and the word after it as one.
  static func joined(_ arguments: [String]) -> [String] {
    var result: [String] = []
    for argument in arguments {
      if let last = result.last, TypeName.Space(rawValue: last).map({ $0 != .ordinary }) ?? false {
        result[result.count - 1] += " \(argument)"
      } else {
        result.append(argument)
      }
    }
    return result
  }

  /// Shows the type `query`; returns whether it exists, with a member at the given offset.
  private func answer(_ query: String, _ kernel: Kernel, _ session: Session) -> Bool {
    if let pattern = TypePattern(query) { return list(pattern, kernel, session) }
    let output = session.output
    let found: [CType]
    do throws(ExpressionFailure) {
      if offset == nil, let member = try kernel.member(named: query)?.get() {
        if options.json { output.memberJSON(query, member) } else { output.memberText(query, member) }
        return true
      }
      found = try kernel.types(named: query).get()
    } catch {
      // It may be a symbol that has a type.
      if offset == nil, let type = kernel.type(ofSymbol: query) {
        if options.json { output.typeJSON(type) } else { output.declarationText(query, type) }
        return true
      }
      session.report(error.diagnostic)
      return false
    }
    var isThere = true
    for (number, type) in found.enumerated() {
      if let offset {
        guard let size = type.size, offset.value < UInt64(size) else {
          session.report(
            .noSuchMember, "\(type.text) has \(type.size ?? 0) bytes: \(Words.hex(offset.value)) is beyond its end")
          isThere = false
          continue
        }
        let member = type.path(at: Int(offset.value))
        if member == nil { isThere = false }
        if options.json {
          output.typeMemberJSON(type, offset.value, member)
        } else {
          output.typeMemberText(type, offset.value, member)
        }
      } else if options.json {
        output.typeJSON(type)
      } else {
        if number > 0 { output.newline() }
        if found.count > 1 || type.module != nil {
          output.text("/* \(type.origin)\(found.count > 1 ? ", \(number + 1) of \(found.count)" : "") */\n")
        }
        output.typeText(type)
      }
    }
    return isThere
  }

  /// Lists the types whose names match `pattern`.
  private func list(_ pattern: TypePattern, _ kernel: Kernel, _ session: Session) -> Bool {
    var found = false
    kernel.forEachType { name, type in
      guard pattern.matches(name) else { return true }
      found = true
      if options.json { session.output.typeJSON(type) } else { session.output.typeNameText(name, type) }
      return !session.output.isDropped
    }
    if !found { session.report(pattern.failure.diagnostic) }
    return found
  }
}
