import ArgumentParser
import KernelVA

/// `kva slab`: slab caches and their objects.
struct SlabCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "slab",
    abstract: "List the slab caches, or the objects of one.",
    discussion: """
      CACHE is a name, in which * stands for any letters and ? for one. A cache that others were merged into has all \
      their names.

      Example: kva slab vmcore
      Example: kva slab vmcore dentry --objects --json
      Example: kva slab vmcore --check
      """)

  @OptionGroup var options: DumpOptions

  @Argument(help: ArgumentHelp("Only caches of this name.", valueName: "cache"))
  var pattern: String?

  @Flag(name: .long, help: "List the objects, each with whether it is allocated.")
  var objects = false

  @Flag(name: .long, help: "Count the allocated objects by who asked for them, the most first.")
  var byCaller = false

  @Flag(name: .long, help: "List what was written over: red zones, poison, padding, free pointers.")
  var check = false

  @Option(name: .long, help: ArgumentHelp("Order the caches by size, name, objects or allocated.", valueName: "key"))
  var sort = SlabOrder.size

  mutating func take(_ arguments: [String]) throws {
    if arguments.count > 1 { throw ValidationError("Unexpected argument '\(arguments[1])'") }
    pattern = arguments.first
  }

  func validate() throws {
    if [objects, byCaller, check].count(where: { $0 }) > 1 {
      throw ValidationError("Give --objects, --by-caller or --check.")
    }
  }

  func answer(_ session: Session) throws {
    try session.list { kernel, output in
      if byCaller { return listCallers(kernel, output) }
      if objects || check { return try listObjects(kernel, output, session) }
      let listing = kernel.slabCaches
      let caches = listing.elements.filter { summary in
        isWanted(summary.cache.name) || summary.aliases.contains(where: isWanted)
      }.sorted(by: sort.precedes)
      if options.json {
        for summary in caches { output.slabCacheJSON(summary) }
      } else if !caches.isEmpty {
        output.slabTable(caches, kernel)
      }
      return listing.notes + (caches.isEmpty && listing.notes.isEmpty ? [absence] : [])
    }
  }

  private func listObjects(_ kernel: Kernel, _ output: Output, _ session: Session) throws -> [Diagnostic] {
    let caches = kernel.slabCaches(named: isWanted)
    var notes: [Diagnostic] = []
    for cache in caches.sorted(by: { $0.name < $1.name }) {
      try session.checkListener()
      if check {
        var isSound = true
        notes += kernel.forEachSlabDamage(of: cache) { damage in
          isSound = false
          if options.json { output.slabDamageJSON(damage, kernel) } else { output.slabDamageText(damage, kernel) }
          return !output.isDropped
        }
        if !isSound {
          notes.append(Diagnostic(.slabDamaged, cache.name, "\(cache.name): objects were written over"))
        }
        continue
      }
      notes += kernel.forEachSlabObject(of: cache) { object in
        if options.json { output.slabObjectJSON(object) } else { output.slabObjectText(object) }
        return !output.isDropped
      }
    }
    return caches.isEmpty ? kernel.slabCaches.notes + [absence] : notes
  }

  private func listCallers(_ kernel: Kernel, _ output: Output) -> [Diagnostic] {
    let caches = kernel.slabCaches(named: isWanted)
    var notes: [Diagnostic] = []
    for cache in caches.sorted(by: { $0.name < $1.name }) {
      let callers = kernel.slabCallers(of: cache)
      for caller in callers.elements {
        if options.json { output.slabCallerJSON(caller, kernel) } else { output.slabCallerText(caller, kernel) }
      }
      // If no cache was named, caches that do not keep it are passed over in silence.
      if pattern != nil || !callers.elements.isEmpty { notes += callers.notes }
    }
    return caches.isEmpty ? kernel.slabCaches.notes + [absence] : notes
  }

  private func isWanted(_ name: String) -> Bool { pattern.map { NamePattern($0).matches(name) } ?? true }

  private var absence: Diagnostic {
    Diagnostic(.noSuchCache, pattern, "no slab cache \(pattern.map { "like '\($0)' " } ?? "")is known")
  }
}

/// The sort order of slab caches.
enum SlabOrder: String, ExpressibleByArgument, CaseIterable {
  case size, name, objects, allocated

  /// Whether `a` comes before `b`: the largest first, equal ones by name.
  func precedes(_ a: SlabSummary, _ b: SlabSummary) -> Bool {
    func key(_ summary: SlabSummary) -> Int {
      switch self {
      case .size: summary.counts.slabs << (summary.cache.order ?? 0)
      case .name: 0
      case .objects: summary.counts.objects
      case .allocated: summary.counts.allocated ?? summary.counts.active
      }
    }
    return (key(b), a.cache.name) < (key(a), b.cache.name)
  }
}
