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

  /// Whether a cache of this name holds keys, or cipher state.
  private static func isSecret(_ cache: String) -> Bool {
    cache == "key_jar" || ["crypt", "keyring", "dm_integrity", "tls_", "blk_crypto"].contains { cache.contains($0) }
  }

  /// The frames that `selection` leaves out.
  func left(outOf selection: PageSelection) -> FrameSet {
    let secret =
      selection.hidesUser ? FrameSet(slabFrames { Self.isSecret($0) } + payloadFrames) : FrameSet()
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

  /// The pages that keys point to, which hold their payloads. (`struct key`, include/linux/key.h)
  private var payloadFrames: [Range<UInt64>] {
    guard let payload = context.types.value.member("payload", of: "key"), let pages = slabs.slub?.pages else {
      return []
    }
    var found: [Range<UInt64>] = []
    for cache in slabs.caches(named: { $0 == "key_jar" }) {
      _ = slabs.forEachObject(of: cache) { object in
        for word in 0..<UInt64(4) {
          guard let pointer = context.memory.pointer(at: object.address &+ UInt64(payload.offset) &+ 8 &* word),
            VirtualAddress(pointer).isUpperHalf, let leaf = context.memory.leaf(at: pointer)
          else { continue }
          let frame = leaf.physical.rawValue >> shift
          guard let record = pages.record(frame) else { continue }
          let head = pages.head(of: frame, record)
          let order = pages.record(head).map { pages.order(ofHead: head, $0) } ?? 0
          found.append(head..<(head + 1 << UInt64(order)))
        }
        return found.count < Limits.claimedTables
      }
    }
    return found
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
