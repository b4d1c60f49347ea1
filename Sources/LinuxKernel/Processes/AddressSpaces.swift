import Bytes
import VMSA

/// The address spaces of processes, and what is in them.
struct AddressSpaces: Sendable {
  let context: KernelContext
  let tables: UserTables
  let tasks: Lazy<Listing<KernelTask>>
  private let reader: Lazy<UserMappingReader?>

  init(_ context: KernelContext, _ names: KernelNames, _ tables: UserTables, _ tasks: Lazy<Listing<KernelTask>>) {
    self.context = context
    self.tables = tables
    self.tasks = tasks
    reader = Lazy { UserMappingReader(context, names) }
  }

  /// The VMAs of the `mm_struct` at `mm`.
  func mappings(of mm: UInt64) -> Listing<UserMapping> {
    guard let reader = reader.value else {
      return Listing(notes: ["the type vm_area_struct is not known: \(context.types.value.advice)"])
    }
    return reader.mappings(of: mm)
  }

  /// A task whose root table is the one of `regime`; nil if none has it.
  func task(with regime: TranslationRegime) -> KernelTask? {
    tasks.value.elements.first { $0.root == regime.root && $0.mm != nil }
  }

  /// How much of each of `mappings` is in memory and in swap; nil where the tables at `root` cannot be read whole.
  func pages(of mappings: [UserMapping], root: PhysicalAddress) -> [UserPages]? {
    let regime = tables.regime(root: root)
    guard let first = mappings.first?.start, let last = mappings.last?.end else { return [] }
    var counter = UserPageCounter(NonPresentEntryReader(context), regime, mappings.map { $0.start..<$0.end })
    let pass = context.sweep(first...(last - 1), of: regime, &counter)
    return counter.isIncomplete || pass.isCutShort ? nil : counter.counts
  }
}
