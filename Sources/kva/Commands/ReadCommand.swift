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
      """,
    aliases: ["rd"])

  @OptionGroup var options: DumpOptions

  @Argument(help: "An address or a symbol.")
  var address: String

  @Argument(help: "How many bytes: decimal, or hex with 0x.")
  var length: Number = Self.defaultLength

  private static let defaultLength = Number(256)

  @OptionGroup var tables: TablesOptions

  @Flag(help: "The address is physical.")
  var physical = false

  @Option(help: ArgumentHelp("Show words of 8, 4, 2 or 1 bytes.", valueName: "bytes"))
  var words: WordSize?

  @Flag(help: "Write the bytes themselves: all of them, or nothing.")
  var raw = false

  func validate() throws {
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
    length = Self.defaultLength
    if arguments.count == 2 {
      guard let number = Number(argument: arguments[1]) else {
        throw ValidationError("The value '\(arguments[1])' is invalid for '<length>'")
      }
      length = number
    }
  }

  func answer(_ session: Session) throws {
    let dump = try session.dump
    let source: any ReadSource
    let start: UInt64
    if physical {
      guard let query = try? Query(address), case .address(let value) = query.base else {
        session.report("'\(address)' is not a physical address; give it as 0x and hex digits")
        throw ExitCode.notFound
      }
      source = PhysicalSource(dump: dump)
      start = value &+ query.offset
    } else {
      let kernel = try session.kernel
      source = VirtualSource(kernel: kernel, user: try session.regime(tables))
      switch kernel.address(of: address) {
      case .success(let address): start = address.rawValue
      case .failure(let failure):
        session.report("\(address): \(failure.message)")
        throw ExitCode.notFound
      }
    }
    let (_, wraps) = start.addingReportingOverflow(length.value == 0 ? 0 : length.value - 1)
    guard !wraps else {
      session.report(
        "\(length.value) bytes from \(Words.hex(start)) go beyond the end of the address space")
      throw ExitCode.notFound
    }
    let printer = Printer(source: source, dump: dump, session: session)
    let found =
      if raw { try printer.raw(start, length.value) } else if options.json {
        try printer.json(start, length.value)
      } else {
        try printer.text(start, length.value, wordSize: words?.bytes)
      }
    if !found { throw ExitCode.notFound }
  }
}

/// A word size for `--words`.
struct WordSize: ExpressibleByArgument {
  let bytes: Int
  init?(argument: String) {
    guard let bytes = Int(argument), [1, 2, 4, 8].contains(bytes) else { return nil }
    self.bytes = bytes
  }
  static let allValueStrings = ["8", "4", "2", "1"]
}

extension Number {
  init(_ value: UInt64) { self.value = value }
  var defaultValueDescription: String { "\(value)" }
}

/// Where `read` reads: at most a page at a time.
protocol ReadSource {
  /// log2 of the pieces.
  var pageShift: Int { get }
  /// Where `address` is, or why it is nowhere.
  func locate(_ address: UInt64) -> Result<Place, Unreadable>
}

/// Where an address is.
struct Place {
  var physical: PhysicalAddress
  /// Why that may be wrong; nil where nothing says so.
  var doubt: String?
}

/// Why an address cannot be read.
struct Unreadable: Error {
  /// What neighbours may have in common.
  enum Kind: Equatable {
    case unmapped(Resolution.Status, String?)
    case absent(Absence)
  }
  var kind: Kind
  /// It in one line.
  var message: String
}

private struct PhysicalSource: ReadSource {
  let dump: DumpFile
  var pageShift: Int { 12 }
  func locate(_ address: UInt64) -> Result<Place, Unreadable> { .success(Place(physical: PhysicalAddress(address))) }
}

private struct VirtualSource: ReadSource {
  let kernel: Kernel
  let user: TranslationRegime?
  var pageShift: Int { kernel.regime.granule.pageShift }
  func locate(_ address: UInt64) -> Result<Place, Unreadable> {
    let resolution = kernel.resolve(VirtualAddress(address), user: user)
    if let physical = resolution.physical { return .success(Place(physical: physical, doubt: resolution.doubt)) }
    return .failure(
      Unreadable(
        kind: .unmapped(resolution.status, resolution.message),
        message: "\(Words.hex(address)) is \(resolution.status.rawValue): \(resolution.message ?? "no mapping")"))
  }
}

/// Writes memory in one of three forms.
private struct Printer {
  let source: any ReadSource
  let dump: DumpFile
  let session: Session
  private var output: Output { session.output }

  /// A piece of what was asked for, within one page.
  private struct Piece {
    var address: UInt64
    var count: Int
    var physical: PhysicalAddress?
    var bytes: [UInt8] = []
    var problem: Unreadable?
    var doubt: String?
  }

  /// Pages one after another that cannot be shown for one reason.
  private struct Gap {
    var first: Unreadable
    var pages: Int
    var last: UInt64

    /// It in one line.
    var message: String {
      if pages == 1 { return first.message }
      let after = pages == 2 ? "the page after it" : "the \(pages - 1) pages after it"
      return "\(first.message); the same holds for \(after), up to \(Words.hex(last))"
    }
  }

  /// How many pages were asked for, and how many of them are not to be had.
  private struct Count {
    var pages = 0
    var missing = 0
    var filtered = 0

    /// It in one line; nil where a page or more is not missing.
    var message: String? {
      guard missing > 1 else { return nil }
      let why = filtered > 0 ? "; \(filtered) of them were filtered out of this dump" : ""
      return "\(missing) of \(pages) pages cannot be shown\(why)"
    }
  }

  /// Says that what is at `address` may be something else.
  private func report(doubt: String?, of address: UInt64) {
    if let doubt { session.report("\(Words.hex(address)) is doubtful: \(doubt)") }
  }

  private func unreadable(_ fault: MemoryFault) -> Unreadable {
    Unreadable(kind: .absent(fault.absence), message: dump.describe(fault))
  }

  /// Calls `body` with each piece.
  private func forEachPiece(_ start: UInt64, _ length: UInt64, _ body: (Piece) -> Void) throws {
    let page = UInt64(1) << UInt64(source.pageShift)
    var done: UInt64 = 0
    while done < length {
      try session.checkListener()
      let address = start &+ done
      let count = min(page - (address & (page - 1)), length - done)
      var piece = Piece(address: address, count: Int(count))
      switch source.locate(address) {
      case .failure(let failure): piece.problem = failure
      case .success(let place):
        piece.physical = place.physical
        piece.doubt = place.doubt
        do throws(MemoryFault) {
          piece.bytes = try dump.memory.bytes(at: place.physical, count: Int(count))
        } catch {
          piece.problem = unreadable(error)
        }
      }
      body(piece)
      done += count
    }
  }

  /// The most that is read at once, and so kept in memory.
  private static var atOnce: UInt64 { 128 << 20 }

  /// All bytes or none: what does not fit in memory is read twice, and written the second time.
  func raw(_ start: UInt64, _ length: UInt64) throws -> Bool {
    var chunks: [(start: UInt64, count: UInt64)] = []
    var done: UInt64 = 0
    while done < length, chunks.count < 1 << 20 {
      chunks.append((start &+ done, min(Self.atOnce, length - done)))
      done += chunks[chunks.count - 1].count
    }
    for isWriting in chunks.count > 1 ? [false, true] : [true] {
      for chunk in chunks {
        try session.checkListener()
        do throws(Unreadable) {
          let bytes = try bytes(chunk.start, Int(chunk.count))
          if isWriting { output.raw(bytes) }
        } catch {
          session.report(error.message)
          return false
        }
      }
    }
    return true
  }

  /// `count` bytes from `start`.
  private func bytes(_ start: UInt64, _ count: Int) throws(Unreadable) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: count)
    try result.withMutableRawSpan { span throws(Unreadable) in try fill(&span, from: start) }
    return result
  }

  /// Fills `target` with the bytes from `start` on, those that lie together in physical memory read together.
  private func fill(_ target: inout MutableRawSpan, from start: UInt64) throws(Unreadable) {
    let count = target.byteCount
    let page = UInt64(1) << UInt64(source.pageShift)
    // The run that has been gathered so far: where its bytes go, and where they are.
    var from = 0
    var physical: PhysicalAddress?
    var done = 0
    while true {
      var next: PhysicalAddress?
      var step = 0
      if done < count {
        let here = start &+ UInt64(done)
        step = Int(min(page - (here & (page - 1)), UInt64(count - done)))
        switch source.locate(here) {
        case .success(let place):
          next = place.physical
          report(doubt: place.doubt, of: here)
        case .failure(let failure): throw failure
        }
      }
      if let first = physical, next != first &+ UInt64(done - from) {
        var run = target._mutatingExtracting(from..<done)
        do throws(MemoryFault) {
          try dump.memory.read(first, into: &run)
        } catch {
          throw unreadable(error)
        }
        from = done
        physical = nil
      }
      guard done < count else { return }
      if physical == nil { physical = next }
      done += step
    }
  }

  /// One object for each page or part of one.
  func json(_ start: UInt64, _ length: UInt64) throws -> Bool {
    var found = true
    try forEachPiece(start, length) { piece in
      output.jsonLine { object in
        object.hex("address", piece.address)
        object.hex("physical", piece.physical?.rawValue)
        object.bytes("bytes", piece.problem == nil ? piece.bytes[...] : nil)
        if let doubt = piece.doubt { object.string("doubt", doubt) }
        if let problem = piece.problem { object.string("message", problem.message) }
      }
      if piece.problem != nil { found = false }
    }
    return found
  }

  /// Sixteen bytes a line, in hex and ASCII, or as words.
  func text(_ start: UInt64, _ length: UInt64, wordSize: Int?) throws -> Bool {
    var count = Count()
    var gap: Gap?
    func endGap() {
      if let gap { session.report(gap.message) }
      gap = nil
    }
    try forEachPiece(start, length) { piece in
      count.pages += 1
      if let problem = piece.problem {
        count.missing += 1
        if problem.kind == .absent(.filtered) { count.filtered += 1 }
        if gap?.first.kind != problem.kind { endGap() }
        gap = Gap(
          first: gap?.first ?? problem, pages: (gap?.pages ?? 0) + 1, last: piece.address &+ UInt64(piece.count - 1))
        return
      }
      endGap()
      report(doubt: piece.doubt, of: piece.address)
      for offset in stride(from: 0, to: piece.bytes.count, by: 16) {
        let line = piece.bytes[offset..<min(offset + 16, piece.bytes.count)]
        output.digits(piece.address &+ UInt64(offset), atLeast: 16)
        output.text(" ")
        if let wordSize { words(line, wordSize) } else { bytes(line) }
        output.newline()
      }
    }
    endGap()
    if let message = count.message { session.report(message) }
    return count.missing == 0
  }

  private func bytes(_ line: ArraySlice<UInt8>) {
    for (index, byte) in line.enumerated() {
      output.spaces(index == 8 ? 2 : 1)
      output.digits(ofByte: byte)
    }
    output.spaces(3 * (16 - line.count) + (line.count <= 8 ? 1 : 0) + 2)
    output.text("|")
    for byte in line { output.byte((0x20..<0x7f).contains(byte) ? byte : UInt8(ascii: ".")) }
    output.text("|")
  }

  /// Little-endian words; a last part that is no whole word is shown byte by byte.
  private func words(_ line: ArraySlice<UInt8>, _ size: Int) {
    var rest = line
    while rest.count >= size {
      var value: UInt64 = 0
      for byte in rest.prefix(size).reversed() { value = value << 8 | UInt64(byte) }
      output.spaces(1)
      output.digits(value, atLeast: size * 2)
      rest = rest.dropFirst(size)
    }
    for byte in rest {
      output.spaces(1)
      output.digits(ofByte: byte)
    }
  }
}

extension Words {
  /// `value` in hex with 0x.
  static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
