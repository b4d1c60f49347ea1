import Bytes
import Synchronization
import VMSA

/// The address spaces of processes and their contents. The VMAs of the most recently used ones are cached.
final class AddressSpaces: Sendable {
  private let context: KernelContext
  private let names: KernelNames
  let tables: Lazy<UserTables>
  let tasks: Lazy<Listing<KernelTask>>
  private let reader: Lazy<UserMappingReader?>
  private let cache: Lazy<PageCache?>
  private let known = Mutex<[UInt64: Listing<UserMapping>]>([:])

  init(
    _ context: KernelContext, _ names: KernelNames, _ tables: Lazy<UserTables>, _ tasks: Lazy<Listing<KernelTask>>,
    _ arithmetic: Lazy<Arithmetic>
  ) {
    self.context = context
    self.names = names
    self.tables = tables
    self.tasks = tasks
    reader = Lazy { UserMappingReader(context, names) }
    cache = Lazy { PageCache(context, arithmetic.value) }
  }

  /// The VMAs of the `mm_struct` at `mm`.
  func mappings(of mm: UInt64) -> Listing<UserMapping> {
    if let listing = known.withLock({ $0[mm] }) { return listing }
    guard let reader = reader.value else {
      return Listing(notes: [context.types.value.unknown("vm_area_struct")])
    }
    let listing = reader.mappings(of: mm)
    known.withLock {
      if $0.count >= Limits.keptAddressSpaces { $0 = [:] }
      $0[mm] = listing
    }
    return listing
  }

  /// How much of each of `mappings` is in memory and in swap; nil if not all tables under `root` can be read.
  func pages(of mappings: [UserMapping], root: PhysicalAddress) -> [UserPages]? {
    let regime = tables.value.regime(root: root)
    guard let first = mappings.first?.start, let last = mappings.last?.end else { return [] }
    var counter = UserPageCounter(NonPresentEntryReader(context), regime, mappings.map { $0.start..<$0.end })
    let pass = context.sweep(first...(last - 1), of: regime, &counter)
    return counter.isIncomplete || pass.isCutShort ? nil : counter.counts
  }

  /// The frames that the tables under `root` map, and whether all tables could be read.
  func frames(root: PhysicalAddress) -> (frames: Set<UInt64>, isWhole: Bool) {
    var finder = UserFrameFinder(pageShift: context.regime.granule.pageShift)
    let pass = context.sweep(nil, of: tables.value.regime(root: root), &finder)
    return (finder.frames, !finder.isIncomplete && !pass.isCutShort)
  }

  /// Where `address` is in the process whose tables are those of `regime`; nil if no task uses them, or its VMAs are
  /// unknown.
  func place(of address: UInt64, _ regime: TranslationRegime) -> UserPlace? {
    guard regime.register == .ttbr0EL1,
      let task = tasks.value.elements.first(where: { $0.root == regime.root && $0.mm != nil }), let mm = task.mm,
      case let listing = mappings(of: mm), !listing.elements.isEmpty
    else { return nil }
    let all = listing.elements
    let index = all.partitioningIndex { $0.end > address }
    guard index < all.count, all[index].contains(address) else {
      // A damaged list may lack the VMA.
      return listing.notes.isEmpty
        ? UserPlace(task: task, mapping: nil, fileOffset: nil, cachedFrame: nil, swap: nil) : nil
    }
    let mapping = all[index]
    guard let file = mapping.file else {
      return UserPlace(task: task, mapping: mapping, fileOffset: nil, cachedFrame: nil, swap: nil)
    }
    let offset = mapping.offset &+ (address - mapping.start)
    let page = cache.value?.page(offset >> UInt64(regime.granule.pageShift), of: file)
    var place = (frame: UInt64?.none, swap: (type: Int, offset: UInt64)?.none)
    switch page {
    case .frame(let frame): place.frame = frame
    case .swapped(let type, let slot): place.swap = (type, slot)
    case nil: break
    }
    return UserPlace(task: task, mapping: mapping, fileOffset: offset, cachedFrame: place.frame, swap: place.swap)
  }

  /// Why nothing is mapped at an address; nil if its process is unknown.
  func reasonUnmapped(_ address: UInt64, _ regime: TranslationRegime) -> String? {
    guard let place = place(of: address, regime) else { return nil }
    let process = "PID \(place.task.tgid) (\(place.task.comm))"
    guard let mapping = place.mapping else { return "\(process) has no VMA there" }
    let area = "\(hex(mapping.start))-\(hex(mapping.end))\(mapping.name.map { " of \($0)" } ?? "")"
    let cached =
      place.cachedFrame.map {
        "; the page cache has it at \(hex($0 &<< UInt64(regime.granule.pageShift) | address & (regime.granule.size - 1)))"
      } ?? place.swap.map { "; it is swapped out to area \($0.type), slot \(hex($0.offset))" } ?? ""
    return "\(process) has not touched it, in the VMA \(area)\(cached)"
  }

  /// The open files of `task`'s process.
  func files(of task: KernelTask) -> Listing<OpenFile> {
    guard let reader = OpenFilesReader(context, names) else {
      return Listing(notes: [context.types.value.unknown("files_struct")])
    }
    return reader.files(of: task)
  }

  /// The mounts that `task` sees.
  func mounts(of task: KernelTask) -> Listing<Mount> {
    guard let reader = MountReader(context, names) else {
      return Listing(notes: [context.types.value.unknown("mount")])
    }
    return reader.mounts(of: task)
  }

  /// The path of swap area number `type`; nil if unknown.
  func swapPath(_ type: Int) -> String? { SwapAreas(context: context, names: names).path(type) }
}
