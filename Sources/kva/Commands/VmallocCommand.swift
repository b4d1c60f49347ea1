import ArgumentParser
import KernelVA

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
      if options.json {
        for area in areas.elements { output.vmallocAreaJSON(area, kernel) }
      } else {
        output.vmallocTable(areas.elements, kernel)
      }
      return areas.notes
    }
  }
}
