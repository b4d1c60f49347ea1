import ArgumentParser
import Glibc
import KernelVA

/// `kva search`: search memory for a pattern.
struct SearchCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "search",
    abstract: "Search memory for a number, a string, bytes or pointers to an object.",
    discussion: """
      VALUE is a number, an address or a symbol. All physical memory is searched, or what a region or a range of \
      addresses maps. This command prints the contents of memory, which may be private.

      Example: kva search vmcore init_task
      Example: kva search vmcore init_task --pointer --region kernel-image
      Example: kva search vmcore 'Linux version' --string
      Example: kva search vmcore 'de ad be ef' --bytes
      """)

  static var takesSymbols: Bool { true }
  static var sampleArguments: [String] { ["0x0"] }

  @OptionGroup var options: DumpOptions

  @Argument(help: "What to search for.")
  var value: String

  @Option(help: ArgumentHelp("Search for an integer of 8, 4, 2 or 1 bytes.", valueName: "bytes"))
  var size: WordSize = WordSize(bytes: 8)

  @Flag(help: "VALUE is text.")
  var string = false

  @Flag(help: "VALUE is bytes in hex.")
  var bytes = false

  @Flag(help: "Search for pointers into the object or symbol at VALUE, or into the range A-B.")
  var pointer = false

  @Option(help: ArgumentHelp("Only one region, by the name that kva regions prints.", valueName: "name"))
  var region: RegionName?

  @Option(help: ArgumentHelp("Only addresses from A up to, not including, B.", valueName: "a-b"))
  var range: AddressRange?

  @OptionGroup var tables: TablesOptions

  @Option(help: ArgumentHelp("Show this many matches.", valueName: "count"))
  var limit: Int = 1000

  func validate() throws {
    if [string, bytes, pointer].count(where: { $0 }) > 1 {
      throw ValidationError("--string, --bytes and --pointer exclude each other.")
    }
    if string || bytes || pointer, size.bytes != 8 { throw ValidationError("--size is that of a number.") }
    if region != nil, range != nil { throw ValidationError("Give --range or --region.") }
    if region != nil, tables.given != nil {
      throw ValidationError("The tables of user space and of the hypervisor have no regions.")
    }
    guard 1...Self.mostMatches ~= limit else { throw ValidationError("--limit is 1 to \(Self.mostMatches).") }
    if value.isEmpty { throw ValidationError("VALUE is empty.") }
  }

  /// The most matches kept: 16 bytes each, plus their answers.
  private static let mostMatches = 1 << 20

  mutating func take(_ arguments: [String]) throws {
    guard let first = arguments.first else { throw ValidationError("Missing expected argument '<value>'") }
    if arguments.count > 1 { throw ValidationError("Unexpected argument '\(arguments[1])'") }
    value = first
    try validate()
  }

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    let user = try session.regime(tables)
    let pattern = try pattern(kernel, session)
    let spans = try spans(kernel, user, session)
    let progress = Progress("searching memory", of: kernel.dump)
    let goesOn: @Sendable (UInt64) -> Bool = { bytes in
      progress?.advance(bytes)
      return !Interrupt.isPending
    }
    let result =
      if let spans {
        kernel.search(pattern, in: spans, user: user, limit: limit, progress: goesOn)
      } else {
        kernel.search(pattern, limit: limit, progress: goesOn)
      }
    progress?.end()
    if options.json {
      for match in result.matches { session.output.matchJSON(match, kernel, user) }
    } else {
      session.output.matchesText(result.matches, kernel, user, showsBytes: pointer)
    }
    try session.checkListener()
    try report(result, kernel, session)
  }

  /// The pattern to search for.
  private func pattern(_ kernel: Kernel, _ session: Session) throws -> SearchPattern {
    if string { return try sequence(Array(value.utf8)) }
    if bytes {
      guard let bytes = Self.bytes(value) else {
        throw ValidationError("'\(value)' is not bytes in hex: give two digits for each, such as 'de ad be ef'")
      }
      return try sequence(bytes)
    }
    if pointer {
      if let range = AddressRange(argument: value) { return .pointer(range.addresses) }
      switch kernel.extent(of: value) {
      case .success(let range): return .pointer(range)
      case .failure(let failure):
        session.report(failure.diagnostic.explaining(value))
        throw ExitCode.notFound
      }
    }
    return .integer(try number(kernel, session), size: size.bytes)
  }

  /// The bytes that `text` spells in hex, optionally separated by blanks or colons.
  private static func bytes(_ text: String) -> [UInt8]? {
    let digits = text.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: ":") }.map(Hex.digit)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[place], let low = digits[place + 1] else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private func sequence(_ bytes: [UInt8]) throws -> SearchPattern {
    guard 1...SearchPattern.mostBytes ~= bytes.count else {
      throw ValidationError("Give 1 to \(SearchPattern.mostBytes) bytes.")
    }
    return .bytes(bytes)
  }

  /// The number to search for, or the address of a symbol.
  private func number(_ kernel: Kernel, _ session: Session) throws -> UInt64 {
    let bits = UInt64(size.bytes * 8)
    let most = UInt64.max >> (64 - bits)
    if let number = Query.number(value) ?? Int64(value).map({ UInt64(bitPattern: $0) & most }) {
      guard number <= most else { throw ValidationError("\(value) does not fit into \(size.bytes) bytes.") }
      return number
    }
    guard size.bytes == 8 else { throw ValidationError("'\(value)' is not a number.") }
    switch kernel.address(of: value) {
    case .success(let address): return address.rawValue
    case .failure(let failure):
      session.report(failure.diagnostic.explaining(value))
      throw ExitCode.notFound
    }
  }

  /// The addresses to search; nil for all physical memory.
  private func spans(
    _ kernel: Kernel, _ user: TranslationRegime?, _ session: Session
  ) throws -> [ClosedRange<UInt64>]? {
    if let range { return [range.addresses] }
    if let user { return [user.firstAddress...user.lastAddress] }
    guard let region = region?.region else { return nil }
    if region == .user {
      session.report(
        .userTablesUnknown,
        "the tables of user space are those of a process: give --ttbr0 PID instead of --region user")
      throw ExitCode.notFound
    }
    let spans = kernel.addresses(of: region)
    if spans.isEmpty {
      session.report(.noSuchRegion, "this kernel has no region '\(region.rawValue)'")
      throw ExitCode.notFound
    }
    return spans
  }

  /// Reports what is not shown, and what was not searched.
  private func report(_ result: SearchResult, _ kernel: Kernel, _ session: Session) throws {
    if result.total > result.matches.count {
      session.report(
        .matchesOmitted,
        "\(result.total) matches, of which the first \(result.matches.count) are shown; --limit shows more")
    }
    let filtered = kernel.dump.summary.bytesFiltered
    if result.missing > 0 {
      session.report(
        .notSearched,
        "\(Words.size(result.missing)) of what is mapped is not in this dump, and was not searched")
    } else if filtered > 0 {
      session.report(.notSearched, "\(Words.size(filtered)) were filtered out of this dump, and not searched")
    }
    if result.isCutShort { session.report(.notSearched, "the search was ended before its end") }
    if result.total == 0 {
      session.report(.notFound, "nothing matches in \(Words.size(result.searched)) of memory")
    }
    if result.total == 0 || result.isCutShort { throw ExitCode.notFound }
  }
}
