import KernelVA

/// The kernel's half of the address space as a bar with each region marked.
struct RegionMapBar {
  /// Fewer columns show too little.
  static let leastRoom = 12
  /// More columns show no more.
  static let mostRoom = 64

  /// The first used address of the kernel's half.
  private let first: UInt64

  /// - Parameter spans: the regions of the whole space.
  init(_ spans: [AddressLayout.Span]) {
    first = spans.lazy.map(\.start).filter { $0 >= Self.lowest }.min() ?? Self.lowest
  }

  /// The lowest address of the kernel with 52 bits.
  private static let lowest: UInt64 = 0xfff0_0000_0000_0000

  /// The header of the column, `room` wide.
  func header(_ room: Int) -> String {
    let name = "KERNEL'S HALF"
    return name.utf8.count <= room ? name : "MAP"
  }

  /// The bar of a region: at least one mark, or nothing if it is not in the kernel's half.
  func bar(_ span: AddressLayout.Span, _ room: Int) -> String {
    guard span.start >= first, room > 0 else { return "" }
    // The last address instead of the end, which may be 2^64.
    let scale = (UInt64.max &- first) / UInt64(room) + 1
    let from = Int((span.start &- first) / scale)
    let to = Int((span.end &- 1 &- first) / scale)
    guard from <= to, to < room else { return "" }
    return String(repeating: ".", count: from) + String(repeating: "#", count: to - from + 1)
      + String(repeating: ".", count: room - 1 - to)
  }
}
