import Bytes
import DebugInfo

/// Allocations and frees recorded by page_owner: a record per frame in its `struct page_ext`.
///
///     mem_section.page_ext, biased so that a PFN indexes it: flags u64 | page_owner at page_owner_ops.offset | ...
///
/// (mm/page_owner.c, mm/page_ext.c)
struct PageOwners: Sendable {
  private let memory: KernelMemory
  private let depot: StackDepot?
  private let sections: UInt64
  private let sectionSize: UInt64
  private let sectionCount: UInt64
  private let sectionShift: UInt64
  private let perRoot: UInt64
  private let extensions: TypeMember
  private let stride: UInt64
  private let offset: UInt64
  private let hasOwner: UInt64
  private let isAllocated: UInt64
  private let members: Members

  private struct Members: Sendable {
    let order, gfp, handle, freeHandle, time, freeTime, comm, pid, tgid, freePID, freeTGID: TypeMember?
  }

  /// nil if the kernel has no page_owner, it was not enabled at boot, or its location is unknown.
  init?(_ context: KernelContext, _ depot: StackDepot?) {
    let types = context.types.value
    func member(_ name: String) -> TypeMember? { types.member(name, of: "page_owner") }
    func flag(_ name: String) -> UInt64? {
      types.enumerators(of: "page_ext_flags").first { $0.name == name }.flatMap {
        0..<64 ~= $0.value ? UInt64(1) << UInt64($0.value) : nil
      }
    }
    guard let info = context.vmcoreinfo, let sections = info.symbol("mem_section"),
      let count = info.length("mem_section"), let size = info.size("mem_section"), size > 0,
      let bits = info.number("SECTION_SIZE_BITS"), bits < 52, bits >= UInt64(context.regime.granule.pageShift),
      let extensions = types.member("page_ext", of: "mem_section"),
      let stride = context.symbols.symbol(named: "page_ext_size").flatMap({ context.memory.word(at: $0.address) }),
      let operations = context.symbols.symbol(named: "page_owner_ops")?.address,
      let place = types.member("offset", of: "page_ext_operations"),
      let offset = StructView(space: context.memory, address: operations).number(place),
      let own = types.size(of: "page_owner"), stride >= 8, stride <= 4096, offset <= stride - 8,
      UInt64(own) <= stride - offset, let hasOwner = flag("PAGE_EXT_OWNER"),
      let isAllocated = flag("PAGE_EXT_OWNER_ALLOCATED")
    else { return nil }
    memory = context.memory
    self.depot = depot
    self.sections = sections
    sectionSize = UInt64(size)
    perRoot = context.regime.granule.size / UInt64(size)
    sectionCount = UInt64(count)
    sectionShift = bits - UInt64(context.regime.granule.pageShift)
    self.extensions = extensions
    self.stride = stride
    self.offset = offset
    self.hasOwner = hasOwner
    self.isAllocated = isAllocated
    members = Members(
      order: member("order"), gfp: member("gfp_mask"), handle: member("handle"), freeHandle: member("free_handle"),
      time: member("ts_nsec"), freeTime: member("free_ts_nsec"), comm: member("comm"), pid: member("pid"),
      tgid: member("tgid"), freePID: member("free_pid"), freeTGID: member("free_tgid"))
  }

  /// Who allocated `frame` and, if it is free, who freed it; empty if nothing is recorded.
  func allocations(of frame: UInt64) -> [PageAllocation] {
    let number = frame >> sectionShift
    let root = number / max(1, perRoot)
    guard perRoot > 0, root < sectionCount, let table = memory.pointer(at: sections &+ root &* 8), table != 0,
      let base = memory.word(at: table &+ number % perRoot &* sectionSize &+ UInt64(extensions.offset)), base != 0,
      base & 1 == 0
    else { return [] }
    let page = base &+ frame &* stride
    guard let flags = memory.word(at: page), flags & hasOwner != 0 else { return [] }
    let owner = StructView(space: memory, address: page &+ offset)
    func trace(_ member: TypeMember?) -> [UInt64] {
      owner.number(member).flatMap { depot?.frames(UInt32(truncatingIfNeeded: $0)) } ?? []
    }
    var result = [
      PageAllocation(
        kind: .alloc, pid: owner.number(members.pid).map { Int(clamping: $0) },
        tgid: owner.number(members.tgid).map { Int(clamping: $0) },
        comm: owner.text(members.comm), nanoseconds: owner.number(members.time) ?? 0,
        order: owner.number(members.order).map { Int(clamping: $0) }, gfp: owner.number(members.gfp),
        frames: trace(members.handle))
    ]
    if flags & isAllocated == 0 {
      result.append(
        PageAllocation(
          kind: .free, pid: owner.number(members.freePID).map { Int(clamping: $0) },
          tgid: owner.number(members.freeTGID).map { Int(clamping: $0) }, comm: nil,
          nanoseconds: owner.number(members.freeTime) ?? 0, order: nil, gfp: nil, frames: trace(members.freeHandle)))
    }
    return result
  }
}

/// An allocation or a free of a page frame.
package struct PageAllocation: Sendable {
  /// What was done.
  package enum Kind: String, Sendable {
    case alloc
    case free
  }

  /// What was done.
  package let kind: Kind
  /// The PID of the task that did it; nil if not recorded.
  package let pid: Int?
  /// Its TGID; nil if not recorded.
  package let tgid: Int?
  /// Its name at the time; nil if not recorded.
  package let comm: String?
  /// When, in nanoseconds since boot.
  package let nanoseconds: UInt64
  /// The order of the allocation; nil for a free.
  package let order: Int?
  /// The GFP flags; nil for a free.
  package let gfp: UInt64?
  /// The return addresses, innermost first; empty if the stack depot does not have them.
  package let frames: [UInt64]
}
