import VMSA

/// What a process has at a user address.
extension AddressIdentifier {
  /// Adds the VMA and what backs the page.
  func fillUser(_ identity: inout AddressIdentity, _ address: UInt64) {
    guard let regime = identity.resolution.regime, let place = addressSpaces.place(of: address, regime) else { return }
    identity.user = place
    guard let mapping = place.mapping else {
      if identity.kind == "user" { identity.kind = "no VMA" }
      return
    }
    identity.kind =
      switch mapping.name {
      case "[heap]"?: "heap"
      case "[stack]"?: "user stack"
      case "[vdso]"?: "vDSO"
      case "[vvar]"?: "vDSO data"
      case let name?: name.hasPrefix("[") ? "named anonymous memory" : "file mapping"
      case nil: mapping.file == nil ? "anonymous memory" : "file mapping"
      }
    if case .swapped(let type, let offset)? = identity.resolution.absentPage {
      identity.swap = AddressIdentity.SwapSlot(type: type, offset: offset, path: addressSpaces.swapPath(type))
    } else if identity.resolution.status != .mapped, let swap = place.swap {
      identity.swap = AddressIdentity.SwapSlot(
        type: swap.type, offset: swap.offset, path: addressSpaces.swapPath(swap.type))
    }
  }
}

extension AddressIdentity {
  /// A page's place in swap.
  package struct SwapSlot: Hashable, Sendable {
    /// The number of the swap area.
    package let type: Int
    /// The slot in it.
    package let offset: UInt64
    /// The file or device; nil if unknown.
    package let path: String?
  }
}
