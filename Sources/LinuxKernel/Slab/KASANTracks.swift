import Bytes
import DebugInfo
import KernelLayout

/// Allocation and free tracks kept by KASAN: next to each object (generic mode), or in one ring for all objects (tag
/// modes).
///
///     generic     object + alloc_meta_offset: kasan_alloc_meta, object + free_meta_offset: kasan_free_meta if its shadow
///                 says that it has one
///     tags        stack_ring: {size, pos, entries[]: {ptr, pid, stack, is_free}}, since 6.1
///
/// (mm/kasan/generic.c, mm/kasan/tags.c)
struct KASANTracks: Sendable {
  private let memory: KernelMemory
  private let depot: StackDepot?
  private let shadow: KASANShadow?
  private let allocOffset: TypeMember?
  private let freeOffset: TypeMember?
  private let alloc: Track?
  private let free: Track?
  private let ring: Lazy<[UInt64: [SlabTrack]]>

  /// The members of `struct kasan_track`.
  private struct Track: Sendable {
    let pid: TypeMember
    let stack: TypeMember
    init?(_ types: KernelTypes, _ path: String, of type: String) {
      guard let pid = types.member(path + "pid", of: type), let stack = types.member(path + "stack", of: type) else {
        return nil
      }
      self.pid = pid
      self.stack = stack
    }
  }

  /// KASAN_SLAB_FREE_META: a freed object with a free track.
  private static let freeWithTrack: UInt8 = 0xfa
  /// The tag modes' stack ring has 32 Ki entries unless the command line sets another size.
  private static let entries: UInt64 = 1 << 22

  /// nil if the kernel has no KASAN, or its types are unknown.
  init?(_ context: KernelContext, _ depot: StackDepot?) {
    let types = context.types.value
    memory = context.memory
    self.depot = depot
    shadow = context.layout.kasanShadow.flatMap { $0.mode == .generic ? $0 : nil }
    allocOffset = types.member("kasan_info.alloc_meta_offset", of: "kmem_cache")
    freeOffset = types.member("kasan_info.free_meta_offset", of: "kmem_cache")
    alloc = Track(types, "alloc_track.", of: "kasan_alloc_meta")
    free = Track(types, "free_track.", of: "kasan_free_meta")
    let ring = context.symbols.symbol(named: "stack_ring")?.address
    guard alloc != nil && allocOffset != nil || ring != nil && types.size(of: "kasan_stack_ring_entry") != nil else {
      return nil
    }
    let memory = memory
    self.ring = Lazy { ring.map { Self.ring(at: $0, memory, types, depot) } ?? [:] }
  }

  /// The tracks of the object at `address`.
  func tracks(of address: UInt64, _ cache: SlabCache) -> [SlabTrack] {
    let object = StructView(space: memory, address: cache.address)
    guard let alloc, let offset = object.number(allocOffset) else { return ring.value[address] ?? [] }
    var result: [SlabTrack] = []
    if offset > 0, offset < UInt64(cache.size), let track = track(.alloc, at: address &+ offset, alloc) {
      result.append(track)
    }
    if let free, let shadow, let offset = object.number(freeOffset), offset < UInt64(cache.size),
      memory.integer(UInt8.self, at: shadow.shadow(of: address)) == Self.freeWithTrack,
      let track = track(.free, at: address &+ offset, free)
    {
      result.append(track)
    }
    return result
  }

  private func track(_ kind: SlabTrack.Kind, at address: UInt64, _ members: Track) -> SlabTrack? {
    let view = StructView(space: memory, address: address)
    return Self.track(kind, view.number(members.pid), view.number(members.stack), depot)
  }

  private static func track(
    _ kind: SlabTrack.Kind, _ pid: UInt64?, _ handle: UInt64?, _ depot: StackDepot?
  ) -> SlabTrack? {
    guard let pid, let handle, let frames = depot?.frames(UInt32(truncatingIfNeeded: handle)), let caller = frames.first
    else { return nil }
    return SlabTrack(
      kind: kind, pid: Int(clamping: pid), cpu: nil, jiffies: nil, nanoseconds: nil, caller: caller, frames: frames)
  }

  /// The ring's newest entry of each kind for each object.
  private static func ring(
    at address: UInt64, _ memory: KernelMemory, _ types: KernelTypes, _ depot: StackDepot?
  ) -> [UInt64: [SlabTrack]] {
    let entry = "kasan_stack_ring_entry"
    func field(_ name: String) -> TypeMember? { types.member(name, of: "kasan_stack_ring") }
    guard let stride = types.size(of: entry).map(UInt64.init), let pointer = types.member("ptr", of: entry),
      let members = Track(types, "track.", of: entry) ?? Track(types, "", of: entry),
      let isFree = types.member("is_free", of: entry)
    else { return [:] }
    let head = StructView(space: memory, address: address)
    guard let size = head.number(field("size")), size > 0, size <= entries, let position = head.number(field("pos")),
      let first = head.pointer(field("entries")), first != 0
    else { return [:] }
    var result: [UInt64: [SlabTrack]] = [:]
    for back in 1...size {
      let view = StructView(space: memory, address: first &+ (position % size &+ size &- back) % size &* stride)
      guard let object = view.pointer(pointer) else { break }
      guard object != 0, let flag = view.number(isFree) else { continue }
      let kind: SlabTrack.Kind = flag & 1 == 1 ? .free : .alloc
      // A free older than the last allocation belongs to a previous object.
      guard result[object].map({ known in !known.contains { $0.kind == kind || $0.kind == .alloc } }) ?? true,
        let track = track(kind, view.number(members.pid), view.number(members.stack), depot)
      else { continue }
      result[object, default: []].insert(track, at: 0)
    }
    return result
  }
}
