import ArgumentParser
import KernelVA

/// `kva list`: the elements of a linked list.
struct ListCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the elements of a linked list of the kernel.",
    discussion: """
      TYPE.MEMBER is the type of the elements and the list_head in them; HEAD is the list_head of the list: an address, a \
      symbol or an expression.

      Example: kva list vmcore module.list modules --print name,state
      Example: kva list vmcore task_struct.tasks init_task.tasks --print pid,comm
      """)

  static var takesSymbols: Bool { true }
  static var sampleArguments: [String] { ["a.b", "0x0"] }

  @OptionGroup var options: DumpOptions

  @Argument(help: "The type of the elements and the list_head in them, TYPE.MEMBER.")
  var type: String

  @Argument(help: "The head: an address or an expression.")
  var head: String

  @OptionGroup var shown: ElementOptions

  mutating func take(_ arguments: [String]) throws {
    guard arguments.count == 2 else { throw ValidationError("Give TYPE.MEMBER and HEAD.") }
    type = arguments[0]
    head = arguments[1]
  }

  func answer(_ session: Session) throws {
    try session.container(.list, type, head, shown, isJSON: options.json)
  }
}

/// `kva tree`: the entries of a tree, or of a list other than list_head.
struct TreeCommand: DumpCommand {
  static let configuration = CommandConfiguration(
    commandName: "tree",
    abstract: "List what a tree or another container of the kernel holds.",
    discussion: """
      KIND is rbtree, xarray, radix, maple, idr, hlist or llist; ROOT an address, a symbol or an expression.

      Example: kva tree vmcore rbtree vmap_area.rb_node vmap_area_root --print va_start,va_end
      Example: kva tree vmcore maple vm_area_struct 'init_task.parent->mm->mm_mt' --print vm_start
      Example: kva tree vmcore idr pid init_pid_ns.idr --print level
      """)

  static var takesSymbols: Bool { true }
  static var sampleArguments: [String] { ["rbtree", "a.b", "0x0"] }

  @OptionGroup var options: DumpOptions

  @Argument(help: "The kind of container.")
  var kind: ContainerKind

  @Argument(help: "The type of the elements, with the node in them if they have one: TYPE or TYPE.MEMBER.")
  var type: String

  @Argument(help: "The root: an address or an expression.")
  var root: String

  @OptionGroup var shown: ElementOptions

  mutating func take(_ arguments: [String]) throws {
    guard arguments.count == 3 else { throw ValidationError("Give KIND, TYPE[.MEMBER] and ROOT.") }
    guard let kind = ContainerKind(argument: arguments[0]) else {
      throw ValidationError(
        "'\(arguments[0])' is no kind; there are \(ContainerKind.allValueStrings.joined(separator: ", "))")
    }
    self.kind = kind
    type = arguments[1]
    root = arguments[2]
  }

  func answer(_ session: Session) throws {
    try session.container(kind, type, root, shown, isJSON: options.json)
  }
}

extension ContainerKind: ExpressibleByArgument {
  /// The names of all kinds.
  public static var allValueStrings: [String] { allCases.map(\.rawValue) }
}

/// What to show of each element.
struct ElementOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Show these members of each element, separated by commas.", valueName: "members"))
  var print: String?

  @Option(help: ArgumentHelp("Stop after this many elements.", valueName: "count"))
  var limit: Int?

  @Option(help: ArgumentHelp("Leave out this many elements before the first.", valueName: "count"))
  var skip: Int = 0

  func validate() throws {
    if limit ?? 0 < 0 || skip < 0 { throw ValidationError("--limit and --skip are not negative.") }
  }
}

extension Session {
  /// Writes the elements of a container, one per line.
  fileprivate func container(
    _ kind: ContainerKind, _ type: String, _ place: String, _ shown: ElementOptions, isJSON: Bool
  ) throws {
    let evaluator = try kernel.evaluator
    let element: Evaluator.ElementType
    let members: Evaluator.Members
    let address: UInt64
    do throws(ExpressionFailure) {
      element = try evaluator.elementType(type, kind)
      members = try evaluator.members(shown.print ?? "")
      try evaluator.check(members, of: element.type)
      do throws(ExpressionFailure) {
        address = try evaluator.container(place)
      } catch {
        throw ExpressionFailure(error.placed(in: place))
      }
    } catch {
      report(error.diagnostic)
      throw ExitCode.notFound
    }
    let extent = isJSON ? ValueExtent.all : ValueExtent(depth: 2, elements: 16, explainsPointers: true)
    var position = ContainerWalks.Position(kind: kind, offset: element.offset, address: address, count: shown.skip)
    var walk =
      containerWalks.take(position)
      ?? skipping(shown.skip, evaluator.elements(kind, at: address, offset: element.offset))
    var isOver = false
    while position.count - shown.skip < shown.limit ?? .max, !isOver, !output.isDropped {
      guard let item = walk.next() else {
        isOver = true
        continue
      }
      position.count += 1
      let values = item.isValue ? [] : evaluator.values(members, of: element.type, at: item.address, extent)
      if isJSON { output.elementJSON(item, values) } else { output.elementText(item, values) }
    }
    guard isOver else { return containerWalks.keep(walk, at: position) }
    guard let reason = walk.notes.first else { return }
    if isJSON {
      output.listEndJSON(Diagnostic(reason.code, reason.subject, walk.notes.map(\.text).joined(separator: "; ")))
    }
    for note in walk.notes { report(note) }
    throw ExitCode.notFound
  }

  /// What comes behind the first `count` elements.
  private func skipping(_ count: Int, _ elements: ContainerElements) -> ContainerElements.Iterator {
    var walk = elements.makeIterator()
    var left = count
    while left > 0, walk.next() != nil { left -= 1 }
    return walk
  }
}
