import Bytes
import DebugInfo

/// The KFENCE pool, which gives some objects a page of their own between guard pages. Its pages are marked as slabs.
///
///     page    0      1      2         3      4         5
///             guard  guard  object 0  guard  object 1  guard  ...
///
/// (mm/kfence/core.c, `addr_to_metadata`)
struct KfencePool: Sendable {
  private let memory: KernelMemory
  private let start: UInt64
  private let page: UInt64
  private let metadata: UInt64
  private let stride: UInt64
  private let members: Members
  private let states: [CEnumerator]

  private struct Members: Sendable {
    let state: TypeMember
    let address: TypeMember
    let size: TypeMember
    let cache: TypeMember?
    let alloc: TypeMember?
    let free: TypeMember?
    let pid: TypeMember?
    let cpu: TypeMember?
    let time: TypeMember?
    let count: TypeMember?
    let entries: TypeMember?
  }

  /// CONFIG_KFENCE_NUM_OBJECTS is below this.
  private static let objects: UInt64 = 1 << 16

  /// nil if the kernel has no KFENCE, or its symbols or types are unknown.
  init?(_ context: KernelContext) {
    let types = context.types.value
    func member(_ name: String, _ type: String = "kfence_metadata") -> TypeMember? { types.member(name, of: type) }
    guard let state = member("state"), let address = member("addr"), let size = member("size"),
      let stride = types.size(of: "kfence_metadata"), stride > 0,
      let pool = context.symbols.symbol(named: "__kfence_pool")?.address, let start = context.memory.pointer(at: pool),
      start != 0, let table = context.symbols.symbol(named: "kfence_metadata")?.address
    else { return nil }
    memory = context.memory
    page = context.regime.granule.size
    self.start = start
    self.stride = UInt64(stride)
    states = types.enumerators(of: "kfence_object_state")
    members = Members(
      state: state, address: address, size: size, cache: member("cache"), alloc: member("alloc_track"),
      free: member("free_track"), pid: member("pid", "kfence_track"), cpu: member("cpu", "kfence_track"),
      time: member("ts_nsec", "kfence_track"), count: member("num_stack_entries", "kfence_track"),
      entries: member("stack_entries", "kfence_track"))
    // A pointer since 6.6, before that the array itself: with the right one, objects lie in their own pages.
    let own = address
    let memory = memory
    let first = start &+ 2 &* page
    let page = page
    func describesPool(_ table: UInt64) -> Bool {
      (0..<2).allSatisfy { (index: UInt64) in
        let object = StructView(space: memory, address: table &+ index &* UInt64(stride)).pointer(own)
        return object.map { $0 &- first &- index &* 2 &* page < page } ?? false
      }
    }
    guard let right = [context.memory.pointer(at: table), table].lazy.compactMap({ $0 }).first(where: describesPool)
    else { return nil }
    metadata = right
  }

  /// What is at an address of the pool.
  enum Place {
    /// In the page of an object.
    case object(KfenceObject)
    /// In a guard page.
    case guardPage
    /// In an object page that was never used.
    case unused
  }

  /// What is at `address`; nil if it is not in the pool.
  func place(of address: UInt64) -> Place? {
    guard address >= start else { return nil }
    let number = (address - start) / page
    guard number < 2 * (Self.objects + 1) else { return nil }
    // Each guard page adjoins an object page, which shows that it belongs to the pool.
    let index = number < 2 ? 0 : number / 2 - 1
    let entry = StructView(space: memory, address: metadata &+ index &* stride)
    let data = start &+ (index + 1) &* 2 &* page
    guard let own = entry.pointer(members.address), own &- data < page, let value = entry.number(members.state),
      let size = entry.number(members.size), size <= page
    else { return nil }
    if number < 2 || number & 1 == 1 { return .guardPage }
    let name = states.first { $0.value == Int64(bitPattern: value) }?.name
    guard value != 0, name != "KFENCE_OBJECT_UNUSED", size > 0 else { return .unused }
    let isAllocated = name.map { $0 == "KFENCE_OBJECT_ALLOCATED" } ?? (value == 1)
    var tracks = [track(.alloc, entry, members.alloc)]
    if !isAllocated { tracks.append(track(.free, entry, members.free)) }
    return .object(
      KfenceObject(
        index: Int(index), address: own, size: Int(size), cache: entry.pointer(members.cache) ?? 0,
        isAllocated: isAllocated, tracks: tracks.compactMap { $0 }))
  }

  private func track(_ kind: SlabTrack.Kind, _ entry: StructView, _ member: TypeMember?) -> SlabTrack? {
    guard let member else { return nil }
    let track = StructView(space: memory, address: entry.address &+ UInt64(member.offset))
    guard let pid = track.number(members.pid), let count = track.number(members.count), let entries = members.entries,
      count > 0, count <= UInt64(entries.size / 8)
    else { return nil }
    let frames = (0..<count).compactMap { memory.word(at: track.address &+ UInt64(entries.offset) &+ $0 &* 8) }
    return SlabTrack(
      kind: kind, pid: Int(clamping: pid), cpu: members.cpu.flatMap { track.number($0) }.flatMap { Int(exactly: $0) },
      jiffies: nil, nanoseconds: track.number(members.time), caller: frames.first ?? 0, frames: frames)
  }
}

/// A KFENCE object.
struct KfenceObject: Sendable {
  /// Its number in the pool.
  let index: Int
  /// Where it begins.
  let address: UInt64
  /// The requested size in bytes.
  let size: Int
  /// The address of its `struct kmem_cache`.
  let cache: UInt64
  /// Whether it is allocated; free ones may still wait for an RCU grace period.
  let isAllocated: Bool
  /// Who allocated it, and who freed it.
  let tracks: [SlabTrack]
}
