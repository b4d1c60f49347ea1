import Bytes
import KernelLayout

/// The kernel's half of the address space cut into pieces of one region each, for passes over all of it. Where regions
/// overlap it agrees with `AddressLayout.region(of:)`.
struct RegionMap: Sendable {
  /// A piece.
  struct Piece: Hashable, Sendable {
    /// The first address.
    var first: UInt64
    /// The last address.
    var last: UInt64
    /// Its region; nil if the layout is unknown.
    var region: Region?
    func contains(_ address: UInt64) -> Bool { address &- first <= last &- first }
  }

  let pieces: [Piece]

  /// Cuts the addresses from `first` upwards.
  ///
  /// - Parameter modules: the memory of modules, which counts as theirs even in vmalloc space.
  init(_ layout: AddressLayout?, image: ClosedRange<UInt64>?, modules: [Range<UInt64>] = [], first: UInt64) {
    var edges: Set<UInt64> = [first]
    for range in modules { edges.formUnion([range.lowerBound, range.upperBound]) }
    for (_, span) in layout?.regions ?? [] { edges.formUnion([span.start, span.end]) }
    if let image { edges.formUnion([image.lowerBound, image.upperBound &+ 1]) }
    let starts = edges.filter { $0 >= first }.sorted()
    pieces = starts.enumerated().map { index, start in
      let isImage = image?.contains(start) ?? false
      let region = isImage ? .kernelImage : layout?.region(of: start)
      let isModule = region == .vmalloc && modules.contains { $0.contains(start) }
      return Piece(
        first: start, last: index + 1 < starts.count ? starts[index + 1] &- 1 : .max,
        region: isModule ? .modules : region)
    }
  }

  /// The piece that holds `address`.
  func piece(at address: UInt64) -> Piece {
    let index = pieces.partitioningIndex { $0.last >= address }
    return index < pieces.count && pieces[index].first <= address
      ? pieces[index] : Piece(first: address, last: address)
  }
}
