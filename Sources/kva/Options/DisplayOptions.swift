import ArgumentParser
import Glibc
import KernelVA

/// How answers are shown: the same for every command.
struct DisplayOptions: ParsableArguments {
  @Flag(help: "Print one JSON object a line.")
  var json = false

  @Flag(help: "Print the headers of tables, on a terminal or not.")
  var header = false

  @Flag(name: .shortAndLong, help: "Show where each fact comes from.")
  var verbose = false

  @Option(
    help: ArgumentHelp(
      "Colour words: auto (on a terminal, unless NO_COLOR is set), always or never.", valueName: "when"))
  var color: Colour = .auto

  @Flag(help: "On a terminal, show the output with the program that KVA_PAGER or PAGER names, else less.")
  var pager = false

  enum Colour: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

  /// How to write to `file`; nil for output that does not go to a terminal.
  func display(on file: Int32?) -> Display {
    var display = file.map { Display(on: $0) } ?? .plain
    if header { display.hasHeaders = true }
    display.isVerbose = verbose
    switch color {
    case .auto: break
    case .always: display.isColoured = true
    case .never: display.isColoured = false
    }
    return display
  }

  /// The pager command, if the option or KVA_PAGER asks for one; only on a terminal.
  var pagerCommand: String? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    if let own = SystemCall.environment("KVA_PAGER"), !own.isEmpty { return Pager.command(own) }
    return pager ? Pager.command(SystemCall.environment("PAGER") ?? "") : nil
  }
}
