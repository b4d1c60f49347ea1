import Bytes
import DebugInfo
import KernelLayout
import VMSA

extension Kernel {
  /// Walks the kernel's tables for `address`; a tag is removed first.
  public func translate(_ address: VirtualAddress) -> WalkResult { context.translate(address) }

  /// Translates many addresses, one after another.
  public func translator() -> Translator { Translator(regime, self.dump.memory) }

  /// Resolves what `text` asks for: an address, or a symbol with an offset.
  ///
  /// - Parameters:
  ///   - trace: include every entry of the walk. An answer that is not `mapped` always has them.
  ///   - user: the tables for user addresses, which cannot be resolved without them.
  public func resolve(_ text: String, trace: Bool = false, user: TranslationRegime? = nil) -> Resolution {
    contents.resolver.resolve(text, trace: trace, user: user)
  }

  /// Resolves an address, as `resolve(_:trace:user:)` does a query.
  public func resolve(
    _ address: VirtualAddress, trace: Bool = false, user: TranslationRegime? = nil
  ) -> Resolution {
    contents.resolver.resolve(address, query: hex(address.rawValue), trace: trace, user: user)
  }

  /// The address that `query` asks for, its tag kept.
  public func address(of query: String) -> Result<VirtualAddress, QueryFailure> {
    contents.resolver.lookUp(query).flatMap { found in
      guard let advice = found.advice, space.leaf(at: found.address.rawValue) == nil else {
        return .success(found.address)
      }
      return .failure(QueryFailure(.badQuery, advice))
    }
  }

  /// Everything known about the address that `query` asks for.
  ///
  /// - Parameter user: the tables for user addresses, or those of the hypervisor.
  public func identify(_ query: String, user: TranslationRegime? = nil) -> AddressIdentity {
    contents.identifier.identify(query, user: user)
  }

  /// Why the kernel's tables may be wrong about `address`; nil if nothing suggests that.
  public func doubt(of address: VirtualAddress) -> Diagnostic? {
    contents.resolver.walk(regime, address.untagged, query: "", trace: false).doubt
  }

  /// The user tables with their root at `root`. They have the shape of the kernel's; a root smaller than a page need
  /// not be page-aligned.
  public func userRegime(root: PhysicalAddress) -> TranslationRegime { contents.userTables.regime(root: root) }

  /// The user tables that `text` names: 0x and a physical address, a PID, or cpuN.
  public func userRegime(_ text: String) -> Result<TranslationRegime, QueryFailure> {
    UserTablesQuery(tables: contents.userTables, tasks: contents.tasks, cpus: { self.cpus }, context: contents.context)
      .regime(text)
  }

  /// The tables in TTBR0_EL2, or why there are none to walk.
  package var hypervisorRegime: Result<TranslationRegime, QueryFailure> { contents.resolver.hypervisorTables }
}
