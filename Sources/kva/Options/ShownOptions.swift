import ArgumentParser
import KernelVA

/// How much of a value is shown, and how.
struct ShownOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Show structures inside structures down to this level.", valueName: "levels"))
  var depth: Int = 6

  @Option(help: ArgumentHelp("Show this many elements of each array.", valueName: "count"))
  var elements: Int = 64

  @Flag(help: "Show integers in hex.")
  var hex = false

  func validate() throws {
    if depth < 0 || elements < 0 { throw ValidationError("--depth and --elements are not negative.") }
  }

  var extent: ValueExtent { ValueExtent(depth: depth, elements: elements, explainsPointers: true) }
}
