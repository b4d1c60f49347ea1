import ArgumentParser
import KernelVA

/// `kva regions`: the kernel's memory layout in a dump.
struct RegionsCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "regions",
    abstract: "Show the kernel's memory layout as this dump has it, and what is mapped there.",
    discussion: """
      Example: kva regions vmcore
      Example: kva regions vmcore --json | jq -r 'select(.mapped == 0) | .name'
      """)

  @OptionGroup var options: DumpOptions

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    guard let (regions, result, problems) = kernel.regions() else {
      session.report("nothing tells how this kernel divides its addresses; see kva info")
      throw ExitCode.notFound
    }
    let output = session.output
    if options.json {
      for use in regions {
        output.jsonLine { object in
          object.layoutRow(use.row)
          object.number("mapped", use.mapped)
          object.string("source", use.source)
        }
      }
    } else {
      output.text("Start             End                 Size    Mapped  Use           Source\n")
      for use in regions {
        output.layoutBounds(use.row)
        output.padded(Words.roughSize(use.row.span), 9)
        output.padded(use.mapped.map { $0 == 0 ? "-" : Words.size($0) } ?? "", 10)
        output.text("  ")
        output.text(use.row.region.rawValue)
        output.spaces(14 - use.row.region.rawValue.utf8.count)
        output.text(use.source)
        output.newline()
      }
    }
    if !session.report(result, problems, kernel.dump) { throw ExitCode.notFound }
  }
}

extension JSONObject {
  /// The bounds of a region.
  mutating func layoutRow(_ row: LayoutRow) {
    string("name", row.region.rawValue)
    hex("start", row.span.start)
    hex("end", row.span.end)
    number("size", row.span.size)
  }
}

extension Output {
  /// The first and the last address of a row, 16 digits each, in brackets where it lies in the row before.
  func layoutBounds(_ row: LayoutRow) {
    text(row.isOptional ? "[" : "")
    digits(row.span.start, atLeast: 16)
    text("  ")
    digits(row.span.end &- 1, atLeast: 16)
    text(row.isOptional ? "]" : "  ")
  }

  /// `string`, with blanks before it up to `width`.
  func padded(_ string: String, _ width: Int) {
    spaces(width - string.utf8.count)
    text(string)
  }
}

extension Words {
  /// A size as a memory map for people has it: whole units of the largest kind, with `~` where that is off by
  /// more than one part in a thousand: "128TB", "~4PB".
  static func roughSize(_ span: AddressLayout.Span) -> String {
    let bytes = span.size
    let units = [(60, "EB"), (50, "PB"), (40, "TB"), (30, "GB"), (20, "MB"), (10, "KB")]
    guard let (shift, unit) = units.first(where: { bytes >> UInt64($0.0) > 0 }) else { return "\(bytes)B" }
    let one = UInt64(1) << UInt64(shift)
    let count = (bytes >> UInt64(shift)) + (bytes & (one - 1) >= one / 2 ? 1 : 0)
    let (whole, overflow) = count.multipliedReportingOverflow(by: one)
    let off = overflow ? 0 &- bytes : whole > bytes ? whole - bytes : bytes - whole
    return (off > bytes / 1000 ? "~" : "") + "\(count)\(unit)"
  }
}

extension Session {
  /// Says what a pass over tables could not show; true when there was nothing.
  func report(_ result: SweepResult, _ problems: SweepProblems, _ dump: DumpFile) -> Bool {
    if let fault = problems.fault {
      let filtered = problems.filtered > 0 ? ", \(problems.filtered) of them filtered out," : ""
      report(
        "\(problems.tables) \(problems.tables == 1 ? "table" : "tables")\(filtered) for "
          + "\(Words.size(problems.unreadable)) of addresses cannot be read, the first: \(dump.describe(fault))")
    }
    if problems.corrupt > 0 {
      let what = problems.corrupt == 1 ? "1 entry cannot be; kva audit shows it" : nil
      report(what ?? "\(problems.corrupt) entries cannot be; kva audit shows them")
    }
    if problems.odd > 0 {
      let what = problems.odd == 1 ? "1 entry is none" : "\(problems.odd) entries are none"
      report("\(what) that a kernel writes there, so that what is mapped may be wrong; see kva audit")
    }
    if let first = problems.firstTwin {
      let what = problems.twins == 1 ? "1 table is" : "\(problems.twins) tables are"
      report(
        "\(what) there twice: one was written over another, so that what is mapped may be wrong; "
          + "the first is at \(Words.hex(first.rawValue))")
    }
    if result.isCutShort {
      report("gave up after \(result.tables) tables, which are used again and again; see kva audit")
    }
    return problems.fault == nil && problems.corrupt == 0 && problems.odd == 0 && problems.twins == 0
      && !result.isCutShort
  }
}
