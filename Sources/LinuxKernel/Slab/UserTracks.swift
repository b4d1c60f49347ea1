import Bytes
import DebugInfo

/// The allocation and free tracks of caches with SLAB_STORE_USER: two `struct track` after the object and its free
/// pointer. (`get_track`, mm/slub.c)
struct UserTracks: Sendable {
  private let memory: KernelMemory
  private let size: Int
  private let caller: TypeMember
  private let trace: TypeMember?
  private let handle: TypeMember?
  private let pid: TypeMember
  private let cpu: TypeMember?
  private let when: TypeMember?
  private let depot: StackDepot?

  /// nil if the types are unknown.
  init?(_ context: KernelContext, _ depot: StackDepot?) {
    let types = context.types.value
    func member(_ name: String) -> TypeMember? { types.member(name, of: "track") }
    guard let size = types.size(of: "track"), size > 0, let caller = member("addr"), let pid = member("pid") else {
      return nil
    }
    memory = context.memory
    self.size = size
    self.caller = caller
    self.pid = pid
    // The trace itself up to 5.18; since then its handle in the stack depot (5cf909c553e9 "mm/slub: use stackdepot to
    // save stack trace in objects").
    trace = member("addrs")
    handle = member("handle")
    cpu = member("cpu")
    when = member("when")
    self.depot = depot
  }

  /// The tracks of the object at `address`, whose cache keeps them.
  func tracks(of address: UInt64, _ cache: SlabCache) -> [SlabTrack] {
    let start = address &+ UInt64(cache.end + (cache.freePointer >= cache.end ? 8 : 0))
    return [SlabTrack.Kind.alloc, .free].enumerated().compactMap { number, kind in
      track(kind, at: start &+ UInt64(number * size))
    }
  }

  /// The track at `address`; nil if none was recorded.
  private func track(_ kind: SlabTrack.Kind, at address: UInt64) -> SlabTrack? {
    let track = StructView(space: memory, address: address)
    guard let caller = track.number(caller), caller >> 48 == 0xffff, let pid = track.number(pid) else { return nil }
    var frames: [UInt64] = []
    if let trace {
      frames = (0..<UInt64(min(trace.size / 8, 64))).compactMap { index in
        memory.word(at: address &+ UInt64(trace.offset) &+ index &* 8)
      }
      frames = Array(frames.prefix { $0 != 0 && $0 != .max })
    } else if let handle = track.number(handle) {
      frames = depot?.frames(UInt32(truncatingIfNeeded: handle)) ?? []
    }
    return SlabTrack(
      kind: kind, pid: Int(clamping: pid), cpu: track.number(cpu).flatMap { Int(exactly: $0) },
      jiffies: track.number(when),
      nanoseconds: nil, caller: caller, frames: frames.isEmpty ? [caller] : frames)
  }
}
