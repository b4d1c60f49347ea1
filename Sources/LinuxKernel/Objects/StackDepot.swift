import Bytes
import DebugInfo

/// The kernel's stack depot, which stores each call trace once under a 32-bit handle.
///
///     handle     slabindex or pool_index | offset | valid (up to 6.2) | extra
///     record     at pools[index] + offset * 16: ... | size | handle | entries[size]
///
/// (lib/stackdepot.c; BTF has the widths of the fields, which depend on the configuration)
struct StackDepot: Sendable {
  private let memory: KernelMemory
  private let pools: UInt64
  private let index: TypeMember
  /// The difference between a pool's number and its index.
  private let first: UInt64
  private let offset: TypeMember
  private let extra: TypeMember?
  private let size: TypeMember
  private let own: TypeMember
  private let entries: Int

  /// STACK_ALLOC_ALIGN.
  private static let shift: UInt64 = 4
  /// CONFIG_STACKDEPOT_MAX_FRAMES.
  private static let frames: UInt64 = 256
  /// The most pools: DEPOT_MAX_POOLS is 8192; the command line may set more.
  private static let mostPools: UInt64 = 1 << 20

  /// nil if the kernel has none, or its symbols or types are unknown.
  init?(_ context: KernelContext) {
    let types = context.types.value
    func part(_ name: String) -> TypeMember? { types.member(name, of: "handle_parts") }
    guard let index = part("pool_index_plus_1") ?? part("pool_index") ?? part("slabindex"), index.bits != nil,
      let offset = part("offset"), offset.bits != nil, let size = types.member("size", of: "stack_record"),
      let own = types.member("handle", of: "stack_record"), let entries = types.member("entries", of: "stack_record"),
      let table = ["stack_pools", "stack_slabs"].lazy.compactMap({ context.symbols.symbol(named: $0) }).first?.address
    else { return nil }
    memory = context.memory
    self.index = index
    self.offset = offset
    self.size = size
    self.own = own
    self.entries = entries.offset
    extra = part("extra")
    first = part("pool_index_plus_1") == nil ? 0 : 1
    // An array, or since 7.0 a pointer to one, whose length the command line may set.
    let isPointer = context.symbols.symbol(named: "stack_max_pools") != nil
    guard let start = isPointer ? context.memory.pointer(at: table) : table else { return nil }
    pools = start
  }

  /// The return addresses of a trace, innermost first; nil if there is none with this handle.
  func frames(_ handle: UInt32) -> [UInt64]? {
    guard handle != 0 else { return nil }
    let number = value(index, handle)
    guard number >= first, number - first < Self.mostPools,
      let pool = memory.pointer(at: pools &+ (number - first) &* 8), pool != 0
    else { return nil }
    let record = StructView(space: memory, address: pool &+ value(offset, handle) << Self.shift)
    // A record has its own handle, without the users' extra bits.
    let kept = ~mask(extra)
    guard let count = record.number(size), count <= Self.frames,
      let stored = memory.integer(UInt32.self, at: record.address &+ UInt64(own.offset)), stored & kept == handle & kept
    else { return nil }
    let start = record.address &+ UInt64(entries)
    return (0..<count).compactMap { memory.word(at: start &+ $0 &* 8) }
  }

  /// The bits of a field in the handle, lowest first.
  private func place(_ member: TypeMember) -> Range<Int> {
    let bits = member.bits ?? 0..<member.size * 8
    return (member.offset * 8 + bits.lowerBound)..<(member.offset * 8 + bits.upperBound)
  }

  private func value(_ member: TypeMember, _ handle: UInt32) -> UInt64 {
    let range = place(member)
    guard range.upperBound <= 32 else { return 0 }
    return UInt64(handle) >> UInt64(range.lowerBound) & (1 << UInt64(range.count) - 1)
  }

  private func mask(_ member: TypeMember?) -> UInt32 {
    guard let member, case let range = place(member), range.upperBound <= 32 else { return 0 }
    return UInt32(truncatingIfNeeded: (UInt64(1) << UInt64(range.count) - 1) << UInt64(range.lowerBound))
  }
}
