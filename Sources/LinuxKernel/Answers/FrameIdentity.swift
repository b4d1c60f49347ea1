import KernelLayout
import VMSA

/// The use and the owner of the page frame that backs an address.
extension AddressIdentifier {
  /// Adds the use and the owner of the frames. The address itself may already say both: what is mapped in vmalloc space
  /// need not be searched for among all owners of frames.
  func fillFrames(_ identity: inout AddressIdentity) {
    if let frame = identity.frame {
      if let use = useByAddress(identity) {
        identity.frame = frame.used(as: use, by: nil)
      } else if let described = described(frame) {
        identity.frame = described
        if identity.kind == Region.linearMap.rawValue, let kind = described.use?.kind { identity.kind = kind }
      }
    }
    if let frame = identity.describedFrame, let described = described(frame) { identity.describedFrame = described }
  }

  private func described(_ frame: FrameState) -> FrameState? {
    guard let reader = pageReader.value else { return nil }
    let page = reader.frame(frame.frame)
    guard page.words != nil else { return nil }
    guard page.use != .other || reader.tellsReserved else { return nil }
    return frame.used(as: page.use, by: pageOwner.value?.owner(of: page))
  }

  private func useByAddress(_ identity: AddressIdentity) -> PageUse? {
    guard identity.resolution.region != .linearMap, identity.resolution.region != .kernelImage else { return nil }
    if identity.stack != nil { return .stack }
    if identity.perCPU != nil { return .perCPU }
    // Other areas map device memory, or frames with another owner.
    return identity.area?.flags.contains("vmalloc") ?? false ? .vmalloc : nil
  }
}

extension PageUse {
  /// The kind of an address in the linear map by the use of its frame; nil if that says no more than the region.
  fileprivate var kind: String? {
    switch self {
    case .free: "free page"
    case .slab: "slab"
    case .pageTable: "page table"
    case .stack: "stack page"
    case .kernelImage: "page of the kernel image"
    case .vmalloc: "page of a vmalloc area"
    case .perCPU: "per-CPU page"
    case .anonymous: "anonymous page"
    case .file: "page of a file"
    case .huge: "huge page"
    case .reserved: "reserved page"
    case .filtered, .absent, .other: nil
    }
  }
}
