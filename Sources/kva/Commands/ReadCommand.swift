import ArgumentParser
import KernelVA

/// `kva read`: the bytes at an address.
struct ReadCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "read",
    abstract: "Print memory at a virtual or physical address.",
    discussion: """
      This command prints the contents of memory, which may be private.

      Example: kva read vmcore init_uts_ns 390
      Example: kva read vmcore --physical 0x41ed3c80 64 --words 8
      Example: kva read vmcore init_task --type task_struct
      """,
    aliases: ["rd"])

  static var takesSymbols: Bool { true }

  @OptionGroup var options: DumpOptions

  @Argument(help: "An address or a symbol.")
  var address: String

  @Argument(help: "How many bytes: decimal, or hex with 0x; 4K is 4096; 256 if not given.")
  var length: Size?

  @OptionGroup var tables: TablesOptions

  @Flag(help: "The address is physical.")
  var physical = false

  @Option(help: ArgumentHelp("Show words of 8, 4, 2 or 1 bytes.", valueName: "bytes"))
  var words: WordSize?

  @Flag(help: "Write the bytes themselves: all of them, or nothing.")
  var raw = false

  @Option(help: ArgumentHelp("Show the value of this type there, as kva print does.", valueName: "name"))
  var type: String?

  @OptionGroup var shown: ShownOptions

  func validate() throws {
    if type != nil, raw || words != nil || length != nil {
      throw ValidationError("--type has its own length and form; it goes with neither --raw nor --words nor a length.")
    }
    if raw, options.json || words != nil {
      throw ValidationError("--raw writes bytes; it goes with neither --json nor --words.")
    }
    if options.json, words != nil { throw ValidationError("--words is a form of the text; --json gives bytes.") }
  }

  static var sampleArguments: [String] { ["0x0"] }

  mutating func take(_ arguments: [String]) throws {
    guard let first = arguments.first else { throw ValidationError("Missing expected argument '<address>'") }
    if arguments.count > 2 { throw ValidationError("Unexpected argument '\(arguments[2])'") }
    address = first
    length = nil
    if arguments.count == 2 {
      guard let number = Size(argument: arguments[1]) else {
        throw ValidationError("The value '\(arguments[1])' is invalid for '<length>'")
      }
      length = number
    }
    try validate()
  }

  func answer(_ session: Session) throws {
    let dump = try session.dump
    let source: any ReadSource
    let start: UInt64
    if physical {
      guard let query = try? Query(address), case .address(let value) = query.base else {
        session.report(.notPhysical, "'\(address)' is not a physical address; give it as 0x and hex digits")
        throw ExitCode.notFound
      }
      // If two parts claim an address, only one is read: the user must know.
      for warning in dump.warnings { session.report(warning) }
      source = PhysicalSource(dump: dump)
      start = value &+ query.offset
    } else {
      let kernel = try session.kernel
      source = VirtualSource(kernel: kernel, user: try session.regime(tables))
      switch kernel.address(of: address) {
      case .success(let address): start = address.rawValue
      case .failure(let failure):
        session.report(failure.diagnostic.explaining(address))
        throw ExitCode.notFound
      }
    }
    if let type { return try value(type, at: start, of: source, session) }
    let length = length ?? Size(256)
    let (_, wraps) = start.addingReportingOverflow(length.bytes == 0 ? 0 : length.bytes - 1)
    guard !wraps else {
      session.report(
        .rangeWraps, "\(length.bytes) bytes from \(Words.hex(start)) go beyond the end of the address space")
      throw ExitCode.notFound
    }
    let reader = MemoryReader(source: source, dump: dump, session: session)
    let found =
      if raw { try reader.raw(start, length.bytes) } else if options.json {
        try reader.json(start, length.bytes)
      } else {
        try reader.text(start, length.bytes, wordSize: words?.bytes)
      }
    if !found {
      let hint = Words.decimalHint(address)
      if !hint.isEmpty { session.report(.entryInvalid, "\(Words.hex(start)) cannot be read\(hint)") }
      throw ExitCode.notFound
    }
  }
}

extension ReadCommand {
  /// Shows the bytes at `start` as a value of the type `name`.
  private func value(_ name: String, at start: UInt64, of source: any ReadSource, _ session: Session) throws {
    let dump = try session.dump
    let reader = MemoryReader(source: source, dump: dump, session: session)
    let evaluator = try session.kernel.evaluator
    do throws(ExpressionFailure) {
      let type: CType
      do throws(ExpressionFailure) {
        type = try evaluator.type(name)
      } catch {
        throw ExpressionFailure(error.placed(in: name))
      }
      let (value, notes) = try evaluator.read(type, at: start, of: reader.pages, options.json ? .all : shown.extent)
      if options.json {
        session.output.printedJSON(address, type, start, value)
      } else if !value.isUnreadable {
        session.output.valueText(type, value, inHex: shown.hex)
      }
      for note in notes { session.report(note.explaining(address)) }
      if notes.isEmpty { return }
    } catch {
      session.report(error.diagnostic)
    }
    throw ExitCode.notFound
  }
}

/// A word size for `--words`.
struct WordSize: ExpressibleByArgument {
  let bytes: Int
  init(bytes: Int) { self.bytes = bytes }
  var defaultValueDescription: String { "\(bytes)" }
  init?(argument: String) {
    guard let bytes = Int(argument), [1, 2, 4, 8].contains(bytes) else { return nil }
    self.bytes = bytes
  }
  static let allValueStrings = ["8", "4", "2", "1"]
}
