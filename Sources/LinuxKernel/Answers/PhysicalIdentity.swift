import CrashDump
import VMSA

/// What the kernel knows about the physical address of an address, and its aliases.
extension AddressIdentifier {
  /// Adds the resources of the physical address, and its addresses in the linear map and the image.
  func fillPhysical(_ identity: inout AddressIdentity) {
    guard let physical = identity.physical?.rawValue else { return }
    identity.resources = ResourceTree(context: context).path(to: physical)
    if let segment = CrashImage(context: context).segment(at: physical) { identity.resources.append(segment) }
    identity.memblock = Memblock(context: context).kinds(of: physical)
    let region = identity.resolution.region
    if region != .linearMap, let offset = arithmetic.value.linearOffset?.value {
      identity.linearAlias = context.alias(of: physical, movedBy: offset)
    }
    if region != .kernelImage, let offset = context.facts.kimageVoffset?.value,
      context.image.contains(physical &+ offset, mappedTo: PhysicalAddress(physical))
    {
      identity.imageAlias = context.alias(of: physical, movedBy: offset)
    }
    if isZeroPage(physical) { identity.kind = "page of zeros" }
    if identity.resolution.virtual == nil {
      identity.kind = identity.resources.last.map { $0.name } ?? "physical address"
    }
  }

  /// Whether `physical` is in the zero page. (`empty_zero_page`, arch/arm64/mm/mmu.c)
  private func isZeroPage(_ physical: UInt64) -> Bool {
    guard let zeros = context.symbols.symbol(named: "empty_zero_page")?.address,
      let leaf = context.memory.leaf(at: zeros)
    else { return false }
    let size = context.regime.granule.size
    return physical & ~(size - 1) == leaf.physical.rawValue & ~(size - 1)
  }
}
