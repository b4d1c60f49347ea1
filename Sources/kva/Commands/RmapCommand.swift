import ArgumentParser
import KernelVA

/// `kva rmap`: physical to virtual.
struct RmapCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "rmap",
    abstract: "List every virtual address that maps a physical address.",
    discussion: """
      Example: kva rmap vmcore 0x41ed3c80
      Example: kva rmap vmcore 0x41ed3000 --all --json
      """)

  @OptionGroup var options: DumpOptions

  @Argument(help: "Physical addresses: hex with 0x, or 8 to 16 hex digits.")
  var physical: [PhysicalArgument]

  @Flag(help: "Look through the tables of every task, too.")
  var all = false

  static var sampleArguments: [String] { ["0x0"] }

  mutating func take(_ arguments: [String]) throws {
    guard !arguments.isEmpty else { throw ValidationError("Missing expected argument '<physical> ...'") }
    physical = try arguments.map { argument in
      guard let address = PhysicalArgument(argument: argument) else {
        throw ValidationError("The value '\(argument)' is invalid for '<physical> ...'")
      }
      return address
    }
  }

  func answer(_ session: Session) throws {
    let kernel = try session.kernel
    let output = session.output
    var allFound = true
    for argument in physical {
      let address = argument.address
      guard address.rawValue >> 55 & 1 == 0 else {
        allFound = false
        session.report(
          .notPhysical, "\(Words.hex(address.rawValue)) is a virtual address: kva resolve tells the physical one")
        continue
      }
      var count = 0
      for task in [nil] + (all ? kernel.addressSpaces.map(Optional.some) : []) {
        try session.checkListener()
        let pass = kernel.reverseMap(address, task: task) { mapping in
          count += 1
          if options.json {
            output.reverseMappingJSON(mapping, of: address, kernel)
          } else {
            output.reverseMappingText(mapping, of: address, kernel)
          }
        }
        allFound = session.report(pass, kernel.dump) && allFound
      }
      if count == 0 {
        allFound = false
        let tables = all ? "no table" : "nothing in the kernel's tables"
        let advice = all ? "" : "; --all looks through those of the tasks"
        session.report(
          .notMapped, "\(tables) maps \(Words.hex(address.rawValue))\(advice)\(Words.decimalHint(argument.text))")
      }
    }
    if all {
      for note in kernel.tasks.notes {
        session.report(note)
        allFound = false
      }
    }
    if !allFound { throw ExitCode.notFound }
  }
}

/// A physical address on the command line.
struct PhysicalArgument: ExpressibleByArgument {
  let address: PhysicalAddress
  /// The text as given.
  let text: String
  init?(argument: String) {
    text = argument
    guard let query = try? Query(argument), case .address(let value) = query.base else { return nil }
    address = PhysicalAddress(value &+ query.offset)
  }
}
