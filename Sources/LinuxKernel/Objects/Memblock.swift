import DebugInfo

/// The boot-time memory allocator's record of memory. (`memblock`, mm/memblock.c; arm64 keeps it)
struct Memblock: Sendable {
  let context: KernelContext

  /// The memblock types that contain `physical`, "memory" and "reserved", with the flags of each region; empty if there
  /// are none, or memblock is unreadable.
  func kinds(of physical: UInt64) -> [String] {
    let types = context.types.value
    guard let start = context.symbols.symbol(named: "memblock")?.address,
      let size = types.size(of: "memblock_region"), size > 0,
      let baseAt = types.member("base", of: "memblock_region"),
      let sizeAt = types.member("size", of: "memblock_region")
    else { return [] }
    let flagsAt = types.member("flags", of: "memblock_region")
    return ["memory", "reserved"].compactMap { kind in
      let list = StructView(space: context.memory, address: start)
      guard let count = list.number(types.member("\(kind).cnt", of: "memblock")), count <= UInt64(Limits.resources),
        let regions = list.pointer(types.member("\(kind).regions", of: "memblock"))
      else { return nil }
      for number in 0..<count {
        let region = StructView(space: context.memory, address: regions &+ number &* UInt64(size))
        guard let base = region.number(baseAt), let length = region.number(sizeAt) else { return nil }
        guard physical >= base, physical - base < length else { continue }
        let flags = region.number(flagsAt) ?? 0
        return ([kind] + Self.flags.filter { flags & $0.bit != 0 }.map(\.name)).joined(separator: ", ")
      }
      return nil
    }
  }

  /// (`enum memblock_flags`, include/linux/memblock.h)
  private static let flags: [(bit: UInt64, name: String)] = [
    (1, "hotplug"), (2, "mirror"), (4, "no-map"), (8, "driver-managed"),
  ]
}
