import Bytes
import DebugInfo
import VMSA

extension Resolver {
  /// Resolves an address by the hypervisor's tables: if they were requested, or if no user tables were and the
  /// hypervisor has such an address. nil if neither holds.
  ///
  /// A kernel address requested at EL2 is converted to a hyp address first.
  func resolveHypervisor(
    _ address: VirtualAddress, query: String, trace: Bool, user: TranslationRegime?
  ) -> Resolution? {
    let isAsked = user?.register == .ttbr0EL2
    guard isAsked || user == nil && !address.isUpperHalf, let regime = user ?? hypervisor.value.regime?.value else {
      return nil
    }
    var place = address
    if address.isUpperHalf {
      guard let moved = hypervisor.value.address(ofKernel: address, context, regions) else {
        var resolution = Resolution(
          query: query, status: .badQuery,
          message: Diagnostic(
            .noHypervisorAddress, "only addresses of the linear map and the kernel image have one at EL2"))
        resolution.virtual = address
        return resolution
      }
      place = VirtualAddress(moved)
    }
    var resolution = walk(regime, place, query: query, trace: trace)
    resolution.virtual = place
    resolution.region = .hypervisor
    guard let leaf = resolution.leaf else {
      // Any address of the lower half may be a user address.
      return isAsked ? resolution : nil
    }
    resolution.hypervisor = hypervisor.value.address(place.rawValue, leaf, in: context.dump)
    if let offset = context.facts.kimageVoffset?.value,
      let image = context.image.addresses(context.regime, in: context.dump),
      image.contains(leaf.physical.rawValue &+ offset),
      let symbol = context.symbols.symbol(containing: leaf.physical.rawValue &+ offset)
    {
      resolution.symbol = symbol
      resolution.symbolOffset = leaf.physical.rawValue &+ offset &- symbol.address
    }
    return resolution
  }

  /// The tables in TTBR0_EL2, or why there are none to walk.
  var hypervisorTables: Result<TranslationRegime, QueryFailure> {
    if let regime = hypervisor.value.regime?.value { return .success(regime) }
    let (code, words): (Diagnostic.Code, String) =
      switch hypervisor.value.mode?.value {
      case .vhe?: (.kernelAtEL2, "the kernel runs at EL2 (VHE): nothing further is mapped")
      case .unused?: (.hypervisorUnused, "nothing of the kernel runs at EL2")
      default: (hypervisor.value.notes.first?.code ?? .hypervisorUnknown, "the hypervisor's tables were not found")
      }
    let reason = hypervisor.value.mode.map { $0.source } ?? hypervisor.value.notes.first?.text
    return .failure(QueryFailure(.badQuery, Diagnostic(code, words + (reason.map { " (\($0))" } ?? ""))))
  }
}
