import Bytes
import DebugInfo

/// A vmalloc area.
public struct VmallocArea: Sendable {
  /// The first address.
  public let start: UInt64
  /// The address after the last, the guard page included, as `/proc/vmallocinfo` prints it.
  public let end: UInt64
  /// The caller that allocated it; nil for areas without a `struct vm_struct` (vm_map_ram).
  public let caller: UInt64?
  /// VM_ flags by name.
  public let flags: [String]
  /// The number of pages that back it (nr_pages), if it has its own.
  public let pages: UInt64?
  /// The physical address that it maps, if that is not ordinary memory (phys_addr).
  public let physical: UInt64?
}

/// Reads the vmalloc areas. (mm/vmalloc.c: `vmap_area_list` to 6.8, `vmap_nodes` since 6.9, 72210662c5a2 "mm: vmalloc:
/// offload free_vmap_area_lock lock")
struct VmallocReader: Sendable {
  let space: KernelMemory
  let types: KernelTypes

  /// `VM_IOREMAP` and the rest. (include/linux/vmalloc.h)
  private static let flagNames: [(UInt64, String)] = [
    (0x1, "ioremap"), (0x2, "vmalloc"), (0x4, "vmap"), (0x8, "user"), (0x10, "dma-coherent"), (0x20, "uninitialized"),
    (0x40, "no-guard"), (0x80, "kasan"), (0x100, "flush-reset-perms"), (0x200, "map-put-pages"),
    (0x400, "allow-huge"), (0x800, "defer-kmemleak"), (0x1000, "sparse"),
  ]

  /// The areas in address order.
  func areas(symbol: (String) -> UInt64?) -> Listing<VmallocArea> {
    func area(_ name: String) -> TypeMember? { types.member(name, of: "vmap_area") }
    func vm(_ name: String) -> TypeMember? { types.member(name, of: "vm_struct") }
    var result = Listing<VmallocArea>()
    guard let link = area("list"), let start = area("va_start"), let last = area("va_end"), let pointer = area("vm")
    else {
      result.notes.append(types.unknown("vmap_area"))
      return result
    }
    let structure = (
      address: vm("addr"), size: vm("size"), flags: vm("flags"), pages: vm("nr_pages"), physical: vm("phys_addr"),
      caller: vm("caller")
    )
    // Until 5.3 the flag VM_VM_AREA said whether there is a `vm_struct` (688fcbfc06e4 "mm/vmalloc: modify struct
    // vmap_area to reduce its size").
    let oldFlags = area("subtree_max_size") == nil ? area("flags") : nil
    var links: [UInt64] = []
    if let heads = nodes(symbol) {
      for head in heads {
        let list = space.list(at: head, named: "vmap_nodes[].busy", limit: Limits.listElements - links.count)
        links += list.elements
        result.note(list.notes)
      }
    } else if let head = symbol("vmap_area_list") {
      let list = space.list(at: head, named: "vmap_area_list")
      links = list.elements
      result.notes += list.notes
    } else {
      result.note(
        .symbolUnknown, "vmap_area_list",
        text: "neither vmap_area_list nor vmap_nodes is known: the kernel's symbols do not name them")
      return result
    }
    for at in links {
      let object = StructView(space: space, address: at &- UInt64(link.offset))
      guard let first = object.number(start), let last = object.number(last), let vm = object.pointer(pointer) else {
        result.note(
          .objectUnreadable, hex(object.address), text: "the area at \(hex(object.address)) cannot be read")
        continue
      }
      guard first < last else {
        result.note(
          .objectUnreadable, hex(object.address), text: "the area at \(hex(object.address)) is damaged")
        continue
      }
      let details = StructView(space: space, address: vm)
      let isMapRAM = vm == 0 || oldFlags.flatMap { object.number($0) }.map { $0 & 4 == 0 } ?? false
      guard !isMapRAM, let address = details.pointer(structure.address), let size = details.number(structure.size),
        address == first
      else {
        if !isMapRAM {
          result.note(
            .objectUnreadable, hex(first),
            text: "what the area at \(hex(first)) is cannot be read: its vm_struct is not in the dump, or damaged")
        }
        result.elements.append(
          VmallocArea(
            start: first, end: last, caller: nil, flags: isMapRAM ? ["vm_map_ram"] : [], pages: nil, physical: nil))
        continue
      }
      let (end, overflow) = address.addingReportingOverflow(size)
      guard size > 0, !overflow else {
        result.note(
          .objectUnreadable, hex(object.address),
          text: "the area at \(hex(object.address)) ends before it begins: it is damaged")
        continue
      }
      let flags = details.number(structure.flags) ?? 0
      let pages = details.number(structure.pages) ?? 0
      let physical = details.number(structure.physical) ?? 0
      result.elements.append(
        VmallocArea(
          start: address, end: end, caller: details.number(structure.caller),
          flags: Self.flagNames.filter { flags & $0.0 != 0 }.map(\.1), pages: pages > 0 ? pages : nil,
          physical: physical > 0 || flags & 1 != 0 ? physical : nil))
    }
    result.elements.sort { $0.start < $1.start }
    return result
  }

  /// The heads of the lists of busy areas, one per vmap node.
  private func nodes(_ symbol: (String) -> UInt64?) -> [UInt64]? {
    guard let size = types.size(of: "vmap_node"), let head = types.member("busy.head", of: "vmap_node"),
      let table = symbol("vmap_nodes"), let base = space.pointer(at: table), let countAt = symbol("nr_vmap_nodes"),
      let count = space.integer(UInt32.self, at: countAt), count > 0, count <= 1 << 16
    else { return nil }
    return (0..<UInt64(count)).map { base &+ $0 &* UInt64(size) &+ UInt64(head.offset) }
  }
}

extension VmallocReader {
  /// The head of the list of areas up to 6.8: a list head in the data, one of whose first elements is an area whose
  /// `vm_struct` has the same address. The list of free areas looks similar, but has no `vm_struct`s.
  func findHead(_ search: DataSectionScan) -> UInt64? {
    guard types.member("busy.head", of: "vmap_node") == nil, let list = types.member("list", of: "vmap_area"),
      let start = types.member("va_start", of: "vmap_area"), let vm = types.member("vm", of: "vmap_area"),
      let address = types.member("addr", of: "vm_struct")
    else { return nil }
    return search.listHead({ _ in true }) { first in
      var link = first
      for _ in 0..<4 {
        let area = StructView(space: space, address: link &- UInt64(list.offset))
        guard let start = area.number(start), start >> 52 == 0xfff, start & 0xfff == 0, let vm = area.pointer(vm) else {
          return false
        }
        if vm != 0 { return StructView(space: space, address: vm).pointer(address) == start }
        guard let next = space.pointer(at: link) else { return false }
        link = next
      }
      return false
    }
  }
}
