import Bytes
import DebugInfo
import Synchronization
import VMSA

/// Describes the owners of page frames.
package final class PageOwner: Sendable {
  private let context: KernelContext
  private let pages: PageReader
  private let slabs: SlabAllocator
  private let spaces: AddressSpaces
  private let cgroups: Lazy<MemoryCgroups?>
  private let files: CachedFiles?
  private let anonymous: AnonymousPages?
  private let tables: Lazy<[UInt64: TableOwner]>
  private let state = Mutex(State())

  private struct State {
    var files: [UInt64: String?] = [:]
    var areas: [UInt64: [AnonymousPages.Area]] = [:]
  }

  /// A page table: its owner, and the first address and size of what it translates.
  private struct TableOwner {
    var task: String
    var start: UInt64
    var size: UInt64
  }

  /// The most users of one page that are named.
  private static let named = 4

  init(
    _ context: KernelContext, _ names: KernelNames, _ pages: PageReader, _ slabs: SlabAllocator,
    _ spaces: AddressSpaces,
    _ cgroups: Lazy<MemoryCgroups?>
  ) {
    self.context = context
    self.pages = pages
    self.slabs = slabs
    self.spaces = spaces
    self.cgroups = cgroups
    let types = context.types.value
    files = FilePaths(context.memory, types, names).flatMap { CachedFiles(context.memory, types, $0) }
    anonymous = AnonymousPages(context.memory, types)
    tables = Lazy { Self.tables(context, spaces) }
  }

  /// The owner of `frame`; nil if it has none, or that is unknown.
  package func owner(of frame: PageFrame) -> String? {
    guard let words = frame.words else { return nil }
    switch frame.use {
    case .slab: return slabs.cacheName(ofHead: words.head)
    case .file, .anonymous:
      // The head describes the whole; the index increases from page to page.
      let head = pages.pages.frame(at: words.head) ?? frame.frame
      guard let first = head == frame.frame ? nil : pages.pages.record(head) else {
        return user(frame, words.mapping, words.index)
      }
      return user(frame, first.mapping, words.index == nil ? nil : first.index &+ (frame.frame &- head))
    case .pageTable:
      return tables.value[frame.frame].map { table in
        "\(table.task) \(hex(table.start))-\(hex(table.start &+ table.size &- 1))"
      }
    case .stack, .vmalloc, .perCPU: return pages.claimant(of: frame.frame)
    case .free: return words.buddyOrder == nil ? pages.claimant(of: frame.frame) : nil
    case .other: return words.type
    case .kernelImage, .huge, .reserved, .filtered, .absent: return nil
    }
  }

  /// The path of the memory cgroup that `frame` is charged to; nil if it is charged to none, or that is unknown.
  package func cgroup(of frame: PageFrame) -> String? {
    guard let charge = frame.words?.charge, charge != 0 else { return nil }
    return cgroups.value?.path(chargedTo: charge)
  }

  private func user(_ frame: PageFrame, _ mapping: UInt64, _ index: UInt64?) -> String? {
    guard mapping & 1 != 0 else {
      guard let name = fileName(mapping) else { return nil }
      return index.map { "\(name)+\(hex($0 &<< pages.pages.vmemmap.pageShift))" } ?? name
    }
    guard mapping & 2 == 0 else { return "KSM" }
    guard let index else { return nil }
    var users: [String] = []
    var more = 0
    for area in areas(mapping & ~3) where index >= area.pageOffset {
      let distance = (index &- area.pageOffset) &<< pages.pages.vmemmap.pageShift
      guard distance < area.end &- area.start, let task = task(of: area.mm), let root = task.root else { continue }
      let address = area.start &+ distance
      let tables = spaces.tables.value.regime(root: root)
      // By now a process may have its own copy of the page, or none.
      guard let leaf = context.dump.memory.walk(tables, VirtualAddress(address)).leaf,
        leaf.physical.rawValue >> pages.pages.vmemmap.pageShift == frame.frame
      else { continue }
      if users.count < Self.named { users.append("\(task.comm) (\(task.pid)) at \(hex(address))") } else { more += 1 }
    }
    if more > 0 { users.append("\(more) more") }
    return users.isEmpty ? nil : users.joined(separator: ", ")
  }

  private func fileName(_ mapping: UInt64) -> String? {
    if let known = state.withLock({ $0.files[mapping] }) { return known }
    let name = files?.name(ofMapping: mapping)
    state.withLock { state in
      if state.files.count >= Limits.keptOwners { state.files = [:] }
      state.files[mapping] = .some(name)
    }
    return name
  }

  private func areas(_ root: UInt64) -> [AnonymousPages.Area] {
    if let known = state.withLock({ $0.areas[root] }) { return known }
    let found = anonymous?.areas(of: root) ?? []
    state.withLock { state in
      if state.areas.count >= Limits.keptOwners { state.areas = [:] }
      state.areas[root] = found
    }
    return found
  }

  private func task(of mm: UInt64) -> KernelTask? { spaces.tasks.value.elements.first { $0.mm == mm } }

  /// The page tables of the kernel and of all processes.
  private static func tables(_ context: KernelContext, _ spaces: AddressSpaces) -> [UInt64: TableOwner] {
    var finder = TableOwners(shift: UInt64(context.regime.granule.pageShift), task: "kernel")
    context.sweep(nil, &finder)
    var seen: Set<PhysicalAddress> = []
    for task in spaces.tasks.value.elements {
      guard let root = task.root, seen.insert(root).inserted, seen.count <= Limits.caches else { continue }
      finder.task = "\(task.comm) (\(task.pid))"
      context.sweep(nil, of: spaces.tables.value.regime(root: root), &finder)
    }
    return finder.owners
  }

  private struct TableOwners: SweepObserver {
    let shift: UInt64
    var task: String
    var owners: [UInt64: TableOwner] = [:]

    mutating func enter(_ table: SweptTable) -> Bool {
      let frame = table.address.rawValue >> shift
      if owners[frame] == nil, owners.count < Limits.claimedTables {
        owners[frame] = TableOwner(
          task: task, start: table.virtual.rawValue, size: UInt64(table.entries) &<< UInt64(table.shift))
      }
      return table.level < 3
    }
    mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {}
    mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {}
  }
}
