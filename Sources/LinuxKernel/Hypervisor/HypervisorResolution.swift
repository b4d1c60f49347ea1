import DebugInfo
import VMSA

extension Kernel {
  /// Resolves an address by the hypervisor's tables: where they were asked for, and where no tables of user
  /// space were and the hypervisor has such an address. Nil where it is not for them.
  ///
  /// A kernel address that is asked for at EL2 is moved there first.
  func resolveHypervisor(
    _ address: VirtualAddress, query: String, trace: Bool, user: TranslationRegime?
  ) -> Resolution? {
    let isAsked = user?.register == .ttbr0EL2
    guard isAsked || user == nil && !address.isUpperHalf, let regime = user ?? hypervisor.regime?.value else {
      return nil
    }
    var place = address
    if address.isUpperHalf {
      guard let moved = hypervisorAddress(ofKernel: address) else {
        var resolution = Resolution(
          query: query, status: .badQuery,
          message: "only addresses of the linear map and the kernel image have one at EL2")
        resolution.virtual = address
        return resolution
      }
      place = VirtualAddress(moved)
    }
    var resolution = walk(regime, place, query: query, trace: trace)
    resolution.virtual = place
    resolution.region = .hypervisor
    guard let leaf = resolution.leaf else {
      // Any address of the lower half may be one of user space.
      return isAsked ? resolution : nil
    }
    resolution.hypervisor = hypervisorAddress(place.rawValue, leaf)
    if let offset = facts.kimageVoffset?.value, let image = imageSpan(),
      image.contains(leaf.physical.rawValue &+ offset),
      let symbol = symbols.symbol(containing: leaf.physical.rawValue &+ offset)
    {
      resolution.symbol = symbol
      resolution.symbolOffset = leaf.physical.rawValue &+ offset &- symbol.address
    }
    return resolution
  }
}
