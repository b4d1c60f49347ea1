import Bytes
import CrashDump
import DebugInfo
import VMSA

/// Finds the page frames that a selection leaves out.
struct PageSelector {
  let context: KernelContext
  let reader: PageReader
  let slabs: SlabAllocator
  /// The code, variables and constants of the kernel and its modules.
  let text, data, constants: [Range<UInt64>]
  /// The log.
  let log: [Range<UInt64>]

  private var shift: UInt64 { UInt64(context.regime.granule.pageShift) }

  /// Caches of objects that describe tasks, their memory and their files.
  private static let taskCaches: Set<String> = [
    "task_struct", "mm_struct", "signal_cache", "sighand_cache", "cred_jar", "pid", "files_cache", "vm_area_struct",
    "maple_node", "fs_cache", "thread_stack", "task_group",
  ]

  /// Whether a cache of this name holds cipher state.
  private static func isCryptographic(_ cache: String) -> Bool {
    ["crypt", "keyring", "dm_integrity", "tls_", "blk_crypto"].contains { cache.contains($0) }
  }

  /// In words, the objects that are left out because the kernel merged their caches.
  func mergedOmissions(of selection: PageSelection) -> [String] {
    guard selection.hidesUser else { return [] }
    return slabs.caches(named: { $0 == KeySlabs.cache || Self.isCryptographic($0) }).compactMap { cache in
      let names = [cache.name] + slabs.names(of: cache)
      let secret = names.filter { $0 == KeySlabs.cache || Self.isCryptographic($0) }
      let others = names.filter { !secret.contains($0) }
      guard !others.isEmpty else { return nil }
      let isAll = secret.contains(where: Self.isCryptographic)
      return "\(isAll ? "all slabs" : "slabs with a key") of \(others.joined(separator: ", ")), "
        + "merged with \(secret.joined(separator: ", "))"
    }
  }

  /// The frames that `selection` leaves out.
  func left(outOf selection: PageSelection) -> FrameSet {
    let secret =
      selection.hidesUser ? FrameSet(slabFrames { Self.isCryptographic($0) } + keyFrames) : FrameSet()
    let wanted = selection.only.map { ($0, frames(of: $0)) }
    var left = FrameSet()
    for frames in context.ramFrames {
      reader.forEachFrame(frames) { page in
        let isWanted = wanted.map { keeps(page, $0.0, $0.1) } ?? true
        if !isWanted || selection.hidesUser && (Self.isUser(page.use) || secret.contains(page.frame)) {
          left.append(page.frame)
        }
        return true
      }
    }
    return left
  }

  /// Whether pages of this use may hold user data. A page in unknown use may belong to a pipe, a socket or compressed
  /// swap.
  private static func isUser(_ use: PageUse) -> Bool {
    switch use {
    case .anonymous, .file, .huge, .free, .filtered, .absent, .other: true
    case .slab, .pageTable, .stack, .kernelImage, .vmalloc, .perCPU, .reserved: false
    }
  }

  /// Whether `page` belongs to one of `parts`, by its use, or by `frames` if its use does not say. Page tables are
  /// always kept, since nothing could be found without them.
  private func keeps(_ page: PageFrame, _ parts: Set<PageSelection.Part>, _ frames: FrameSet) -> Bool {
    switch page.use {
    case .pageTable: true
    case .stack where parts.contains(.stacks): true
    case .perCPU where parts.contains(.data): true
    default: frames.contains(page.frame)
    }
  }

  /// The frames of `parts` that are known by address or by slab cache.
  private func frames(of parts: Set<PageSelection.Part>) -> FrameSet {
    var ranges: [Range<UInt64>] = []
    if parts.contains(.text) { ranges += text }
    if parts.contains(.data) { ranges += data }
    if parts.contains(.types) { ranges += constants }
    if parts.contains(.log) { ranges += log }
    let tasks = parts.contains(.tasks) ? slabFrames { Self.taskCaches.contains($0) } : []
    // Some kernel tables are in the image, the root among them.
    var tables = KernelTables()
    context.sweep(nil, &tables)
    let roots = tables.addresses.map { $0 >> shift..<($0 >> shift + 1) }
    return FrameSet(ranges.flatMap { self.frames($0) } + tasks + roots)
  }

  /// The frames that back a range of kernel addresses.
  private func frames(_ range: Range<UInt64>) -> [Range<UInt64>] {
    var found: [Range<UInt64>] = []
    var here = range.lowerBound
    while here < range.upperBound, found.count < Limits.claimedTables {
      guard let leaf = context.memory.leaf(at: here) else {
        let next = (here | (1 << shift - 1)) &+ 1
        guard next > here else { break }
        here = next
        continue
      }
      let bytes = min(leaf.size - (leaf.physical.rawValue & (leaf.size - 1)), range.upperBound - here)
      let first = leaf.physical.rawValue
      found.append(first >> shift..<((first + bytes - 1) >> shift + 1))
      here += bytes
    }
    return found
  }

  /// The frames of the slabs of each cache with a name, its own or one merged into it, that `isWanted` holds for.
  private func slabFrames(_ isWanted: (String) -> Bool) -> [Range<UInt64>] {
    guard let slub = slabs.slub else { return [] }
    return slabs.caches(named: isWanted).flatMap { cache in
      slabs.frames(of: cache).map { first in
        let order = slub.pages.record(first).map { slub.pages.order(ofHead: first, $0) } ?? 0
        return first..<(first + 1 << UInt64(order))
      }
    }
  }

  /// The slabs with keys, and the memory that keys point to.
  private var keyFrames: [Range<UInt64>] {
    let all = slabFrames { $0 == KeySlabs.cache }
    guard let keys = KeySlabs(context, types: data + constants) else { return all }
    var found: [Range<UInt64>] = []
    var without: [Range<UInt64>] = []
    for cache in slabs.caches(named: { $0 == KeySlabs.cache }) {
      let isShared = !slabs.names(of: cache).isEmpty
      _ = slabs.forEachSlab(of: cache) { slab, _ in
        let objects = (0..<slab.count).map { slab.object($0, cache) }
        let some = isShared ? objects.filter(keys.isKey) : objects
        if some.isEmpty { without += frames(slab.base..<(slab.base &+ slab.bytes)) }
        found += some.flatMap(keys.payloads).flatMap(block)
        return found.count < Limits.claimedTables
      }
    }
    // A slab that cannot be read may have keys.
    return Array(RangeSet(all).subtracting(RangeSet(without)).ranges) + found
  }

  /// The pages that were allocated together with the page at `pointer`.
  private func block(_ pointer: UInt64) -> [Range<UInt64>] {
    guard let pages = slabs.slub?.pages, let leaf = context.memory.leaf(at: pointer) else { return [] }
    let frame = leaf.physical.rawValue >> shift
    guard let record = pages.record(frame) else { return [frame..<(frame + 1)] }
    let head = pages.head(of: frame, record)
    let order = pages.record(head).map { pages.order(ofHead: head, $0) } ?? 0
    return [head..<(head + 1 << UInt64(order))]
  }
}

/// The tables under the kernel's root, without reading those of the last level.
private struct KernelTables: SweepObserver {
  private(set) var addresses: [UInt64] = []

  mutating func enter(_ table: SweptTable) -> Bool {
    if addresses.count < Limits.claimedTables { addresses.append(table.address.rawValue) }
    return table.level < 3
  }
  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {}
  mutating func repeated(_ entry: SweptEntry, _ physical: PhysicalAddress, through last: UInt64) {}
}
