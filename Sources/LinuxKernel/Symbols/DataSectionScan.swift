import Bytes
import DebugInfo

/// Finds recognisable objects in the kernel's own data, for kernels with symbols only for functions.
///
/// A find is verified by what points to it, or by what it leads to.
struct DataSectionScan: Sendable {
  let space: KernelMemory
  /// The data follows `swapper_pg_dir`; in 4.19 it precedes it. (arch/arm64/kernel/vmlinux.lds.S)
  private let ranges: [Range<UInt64>]
  private let text: UInt64
  /// kimage_voffset: anything else mapped near the image is not part of it.
  private let moved: UInt64

  /// How far from the image modules can be: a branch through a veneer reaches 4 GiB. (arch/arm64/kernel/kaslr.c to 6.4,
  /// arch/arm64/kernel/module.c; 2 GiB since 6.5, 3e35d303ab7d "arm64: module: rework module VA range selection")
  private static let moduleReach: UInt64 = 4 << 30

  /// nil if VMCOREINFO does not locate the image, or it is not mapped.
  init?(_ space: KernelMemory, _ vmcoreinfo: VMCoreInfo?) {
    guard let text = vmcoreinfo?.symbol("_stext"), let tables = vmcoreinfo?.symbol("swapper_pg_dir"), text < tables,
      tables < space.image.upperBound, let leaf = space.leaf(at: text)
    else { return nil }
    self.space = space
    self.text = text
    moved = text &- leaf.physical.rawValue
    ranges = [tables..<space.image.upperBound, text..<tables]
  }

  /// Whether a module of this kernel could lie at `address`.
  func isNearImage(_ address: UInt64) -> Bool {
    let reach = Self.moduleReach &+ ImageReach.largest
    return address &- (text &- reach) < 2 &* reach
  }

  /// The head of a list (`struct list_head`) in the data whose first element satisfies `isElement`, and to which both
  /// neighbours link back.
  ///
  /// - Parameters:
  ///   - mayBeLink: a quick check of the pointer alone.
  ///   - isElement: whether the object with this link is the right one.
  func listHead(_ mayBeLink: (UInt64) -> Bool, _ isElement: (UInt64) -> Bool) -> UInt64? {
    forEachPiece(overlap: 8) { address, bytes in
      let words = bytes.rawSpan
      for offset in stride(from: 0, to: bytes.count - 8, by: 8) {
        guard let next = words.integer(UInt64.self, at: offset).map(space.untagged) else { break }
        // A kernel object's address is canonical and aligned; an element is not in the image.
        guard next >> 52 == 0xfff, next & 7 == 0, !space.image.contains(next), mayBeLink(next),
          let previous = words.integer(UInt64.self, at: offset + 8).map(space.untagged), previous >> 52 == 0xfff,
          previous & 7 == 0
        else { continue }
        let head = address &+ UInt64(offset)
        if space.pointer(at: next &+ 8) == head, space.pointer(at: previous) == head, isElement(next) { return head }
      }
      return nil
    }
  }

  /// The first word of the data that points to something that satisfies `isRight`.
  func pointer(to isRight: (UInt64) -> Bool) -> UInt64? {
    forEachPiece(overlap: 0) { address, bytes in
      let words = bytes.rawSpan
      for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
        guard let target = words.integer(UInt64.self, at: offset).map(space.untagged) else { break }
        if target >> 52 == 0xfff, target & 7 == 0, isRight(target) { return address &+ UInt64(offset) }
      }
      return nil
    }
  }

  /// The first occurrence of `pattern` in the data that satisfies `isRight`.
  func place(of pattern: [UInt8], where isRight: (UInt64) -> Bool) -> UInt64? {
    forEachPiece(overlap: (pattern.count + 7) & ~7) { address, bytes in
      bytes.occurrences(of: pattern).lazy.map { address &+ UInt64($0) }.first(where: isRight)
    }
  }

  /// Calls `body` with the data piece by piece until it returns a value.
  private func forEachPiece(overlap: Int, _ body: (_ address: UInt64, _ bytes: [UInt8]) -> UInt64?) -> UInt64? {
    var result: UInt64?
    for range in ranges where result == nil {
      space.forEachPiece(range, overlap: overlap, moved: moved) { address, bytes in
        result = body(address, bytes)
        return result == nil
      }
    }
    return result
  }
}
