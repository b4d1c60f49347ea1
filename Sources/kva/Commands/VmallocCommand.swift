import ArgumentParser
import KernelVA

/// `kva vmalloc`: the areas of vmalloc space.
struct VmallocCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "vmalloc",
    abstract: "List the areas of vmalloc space, and who asked for them.",
    discussion: """
      Example: kva vmalloc vmcore --caller fuse --sort size
      Example: kva vmalloc vmcore --json | jq -s 'map(.size) | add'
      """)

  @OptionGroup var options: DumpOptions

  @Option(
    help: ArgumentHelp("Only areas of this function or module (* for any letters, ? for one).", valueName: "name"))
  var caller: String?

  @Option(help: ArgumentHelp("Only areas of at least this size, such as 64K.", valueName: "size"))
  var min: Size?

  @Option(help: ArgumentHelp("Sort by address, or by size, the largest first.", valueName: "key"))
  var sort: Order = .address

  enum Order: String, ExpressibleByArgument, CaseIterable { case address, size }

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      let areas = kernel.vmallocAreas
      let found = chosen(areas.elements, kernel)
      if options.json {
        for area in found { output.vmallocAreaJSON(area, kernel) }
      } else {
        output.vmallocTable(found, kernel)
      }
      let isMissing = found.isEmpty && !areas.elements.isEmpty
      return areas.notes + (isMissing ? [Diagnostic(.noneMatches, "no vmalloc area is like that")] : [])
    }
  }

  private func chosen(_ areas: [VmallocArea], _ kernel: Kernel) -> [VmallocArea] {
    var found = areas
    if let least = min?.bytes { found = found.filter { $0.end &- $0.start >= least } }
    if let pattern = caller.map({ NamePattern($0) }) {
      found = found.filter { area in
        guard let caller = area.caller.map({ kernel.describeCaller($0) }) else { return false }
        return pattern.matches(String(caller.text.prefix { $0 != "+" })) || caller.module.map(pattern.matches) ?? false
      }
    }
    if sort == .size { found.sort { ($1.end &- $1.start, $0.start) < ($0.end &- $0.start, $1.start) } }
    return found
  }
}
