import Bytes
import DebugInfo
import VMSA

/// The slab allocator of a kernel, whichever it is, looked for on first use.
final class SlabAllocator: Sendable {
  private let context: KernelContext
  private let pages: Lazy<PageArray?>
  private let perCPU: Lazy<PerCPU?>

  /// SLUB; nil where the kernel has another, or its types are not known.
  private let found: Lazy<SlabReader?>
  private let kfence: Lazy<KfencePool?>

  init(_ context: KernelContext, _ pages: Lazy<PageArray?>, _ perCPU: Lazy<PerCPU?>) {
    self.context = context
    self.pages = pages
    self.perCPU = perCPU
    found = Lazy {
      guard let pages = pages.value, let layout = SlabLayout(context.types.value) else { return nil }
      return SlabReader(context, pages, layout, perCPU)
    }
    kfence = Lazy { KfencePool(context) }
  }

  /// SLUB; nil where the kernel has another, or its types are not known.
  var slub: SlabReader? { found.value }

  /// What the allocator has at `address`, which is linear; nil where it is none of its own.
  ///
  /// - Parameter physical: what backs it; nil where it is not mapped, as the guard pages of KFENCE.
  func place(of address: UInt64, _ physical: PhysicalAddress?) -> SlabPlace? {
    if let place = kfence.value?.place(of: address) { return self.place(place, address) }
    guard let physical, let pages = pages.value else { return nil }
    let shift = pages.vmemmap.pageShift
    let frame = physical.rawValue >> shift
    guard let record = pages.record(frame) else { return nil }
    let head = pages.head(of: frame, record)
    guard head <= frame, let first = head == frame ? record : pages.record(head) else { return nil }
    let base = address & ~(1 << shift - 1) &- (frame - head) << shift
    if let type = pages.types.largeKmalloc, type.matches(first.mapcount) {
      let size = pages.byteCount(ofHead: head, first)
      return address &- base < size ? .largeKmalloc(start: base, size: size) : nil
    }
    guard pages.isSlab(first) else { return nil }
    return slub?.place(of: address, head: head, first, base: base)
  }

  private func place(_ place: KfencePool.Place, _ address: UInt64) -> SlabPlace {
    switch place {
    case .guardPage: return .kfence("guard page")
    case .unused: return .kfence("unused page")
    case .object(let object):
      guard let cache = slub?.cache(at: object.cache) else {
        return .damaged("the cache of the KFENCE object at \(hex(object.address)) cannot be read, or is damaged")
      }
      let offset = Int(Int64(bitPattern: address &- object.address))
      return .object(
        SlabObject(
          cache: cache, address: object.address, index: object.index, size: object.size, offset: offset,
          part: 0..<object.size ~= offset ? .object : .redZone, isAllocated: object.isAllocated,
          freeList: object.isAllocated ? nil : .kfence, problem: nil, tracks: object.tracks))
    }
  }
}
