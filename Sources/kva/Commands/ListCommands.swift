import ArgumentParser
import KernelVA

extension Session {
  /// What the commands that list something have in common: lets `body` write its lines, and reports the notes
  /// it returns. What is missing from a list makes the exit status 1.
  func list(_ body: (Kernel, Output) throws -> [String]) throws {
    let notes = try body(try kernel, output)
    for note in notes { report(note) }
    if !notes.isEmpty { throw ExitCode.notFound }
  }
}

/// `kva symbols`: the names that are known.
struct SymbolsCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "symbols",
    abstract: "List the symbols of the kernel and its modules.",
    discussion: """
      PATTERN is a name, in which * stands for any letters and ? for one.

      Example: kva symbols vmcore 'vmalloc_*'
      Example: kva symbols vmcore --json | jq -r 'select(.module == "ext4").name'
      """,
    aliases: ["sym"])

  @OptionGroup var options: DumpOptions
  @Argument(help: "Only names like this.")
  var pattern: String?

  mutating func take(_ arguments: [String]) throws {
    if arguments.count > 1 { throw ValidationError("Unexpected argument '\(arguments[1])'") }
    pattern = arguments.first
  }

  func answer(_ session: Session) throws {
    let pattern = pattern.map { NamePattern($0) }
    try session.list { kernel, output in
      var found = false
      kernel.forEachSymbol { symbol in
        guard pattern?.matches(symbol.name) ?? true else { return true }
        found = true
        if options.json {
          output.jsonLine { object in
            object.string("name", symbol.name)
            object.hex("address", symbol.address)
            object.string("type", symbol.type.map { String(UnicodeScalar($0)) })
            object.string("module", symbol.module)
          }
        } else {
          output.digits(symbol.address, atLeast: 16)
          output.text(" \(symbol.type.map { String(UnicodeScalar($0)) } ?? "?") \(symbol.name)")
          if let module = symbol.module { output.text(" [\(module)]") }
          output.newline()
        }
        return true
      }
      return found
        ? kernel.symbolNotes
        : ["no symbol \(self.pattern.map { "like '\($0)' " } ?? "")is known; give --vmlinux for more"]
    }
  }
}

/// A name with `*` and `?` in it.
struct NamePattern {
  private let pattern: [UInt8]

  init(_ text: String) { pattern = Array(text.utf8) }

  /// Whether `name` is like the pattern. Time grows with the product of the lengths at most.
  func matches(_ name: String) -> Bool {
    let name = Array(name.utf8)
    var at = 0
    var place = 0
    var star: (pattern: Int, name: Int)?
    while place < name.count {
      if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
        star = (at, place)
        at += 1
      } else if at < pattern.count, pattern[at] == UInt8(ascii: "?") || pattern[at] == name[place] {
        at += 1
        place += 1
      } else if let last = star {
        at = last.pattern + 1
        place = last.name + 1
        star = (last.pattern, place)
      } else {
        return false
      }
    }
    return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}

/// `kva modules`: the loaded modules.
struct ModulesCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "modules",
    abstract: "List the loaded modules and where their memory is.",
    discussion: """
      Example: kva modules vmcore
      Example: kva modules vmcore --json | jq -r '.name'
      """,
    aliases: ["mod"])

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      let modules = kernel.modules
      for module in modules.elements {
        if options.json {
          output.jsonLine { object in
            object.string("name", module.name)
            object.hex("address", module.address)
            object.number("size", module.size)
            object.array("regions", module.regions) { region, value in
              region.string("kind", value.kind)
              region.hex("start", value.start)
              region.hex("end", value.end)
            }
            object.number("refcount", module.references)
          }
        } else {
          output.text(module.name)
          output.spaces(24 - module.name.utf8.count)
          output.text(" ")
          output.hex(module.address)
          output.text(" \(module.size) bytes, \(module.references.map(String.init) ?? "?") users")
          output.newline()
          for region in module.regions {
            output.text("    ")
            output.hex(region.start)
            output.text("-")
            output.hex(region.end)
            output.text(" \(region.kind)")
            output.newline()
          }
        }
      }
      return modules.notes
    }
  }
}

/// `kva vmalloc`: the areas of vmalloc space.
struct VmallocCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "vmalloc",
    abstract: "List the areas of vmalloc space, and who asked for them.",
    discussion: """
      Example: kva vmalloc vmcore
      Example: kva vmalloc vmcore --json | jq -s 'map(.size) | add'
      """)

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      let areas = kernel.vmallocAreas
      for area in areas.elements {
        let caller = area.caller.map { kernel.describeCaller($0) }
        if options.json {
          output.jsonLine { object in
            object.hex("start", area.start)
            object.hex("end", area.end)
            object.number("size", area.end &- area.start)
            object.string("caller", caller?.text)
            if let module = caller?.module { object.string("module", module) }
            object.strings("flags", area.flags)
            object.number("pages", area.pages)
            object.hex("physical", area.physical)
          }
        } else {
          output.hex(area.start)
          output.text("-")
          output.hex(area.end)
          output.text(" \(area.end &- area.start)")
          if let caller { output.text(" \(caller.text)\(caller.module.map { " [\($0)]" } ?? "")") }
          if let pages = area.pages { output.text(" pages=\(pages)") }
          if let physical = area.physical { output.text(" phys=0x\(String(physical, radix: 16))") }
          for flag in area.flags { output.text(" \(flag)") }
          output.newline()
        }
      }
      return areas.notes
    }
  }
}

extension Kernel {
  /// An address as the kernel prints it with %pS: `symbol+0xoff/0xsize`.
  func describeCaller(_ address: UInt64) -> (text: String, module: String?) {
    guard let symbol = symbol(containing: address) else { return (Words.hex(address), nil) }
    let offset = String(address &- symbol.address, radix: 16)
    return ("\(symbol.name)+0x\(offset)/0x\(String(symbol.size, radix: 16))", symbol.module)
  }
}

/// `kva dmesg`: the kernel's log.
struct DmesgCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "dmesg",
    abstract: "Print the kernel's log.",
    discussion: """
      This command prints the contents of memory, which may be private.

      Example: kva dmesg vmcore | tail
      Example: kva dmesg vmcore --json | jq -r 'select(.level <= 3).text'
      """,
    aliases: ["log"])

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      let log = kernel.log
      for record in log.elements {
        if options.json {
          output.jsonLine { $0.logRecord(record) }
        } else {
          output.logText(record)
        }
      }
      return log.notes
    }
  }
}

extension Output {
  /// Writes text from a dump: control characters, which a terminal would obey, as `?`.
  func printable(_ text: some StringProtocol) {
    for value in text.utf8 { byte(value < 0x20 && value != 0x09 || value == 0x7f ? UInt8(ascii: "?") : value) }
  }
}

extension JSONObject {
  /// The fields of a message of the log.
  mutating func logRecord(_ record: LogRecord) {
    number("sequence", record.sequence)
    number("timestamp", record.timestamp)
    number("level", record.level)
    number("facility", record.facility)
    string("caller", record.caller)
    string("text", record.text)
  }
}

extension Output {
  /// A message of the log as dmesg(1) shows it, each of its lines with the time.
  func logText(_ record: LogRecord) {
    for line in record.text.split(separator: "\n", omittingEmptySubsequences: false) {
      text("[")
      let seconds = String(record.timestamp / 1_000_000_000)
      spaces(5 - seconds.utf8.count)
      let micros = String(record.timestamp / 1000 % 1_000_000)
      text("\(seconds).\(String(repeating: "0", count: 6 - micros.utf8.count))\(micros)] ")
      printable(line)
      newline()
    }
  }
}
