import VMSA

/// Translates many addresses by one set of tables, remembering the tables that it visited: several times as fast as
/// single walks. It must stay on one thread; make one for each.
///
///     let translator = kernel.translator()
///     for address in addresses { print(translator.translate(address)) }
public struct Translator {
  /// The tables.
  package let regime: TranslationRegime
  private let memory: any PhysicalMemory
  private let cache = WalkCache()

  /// A translator for the tables of `regime` in `memory`.
  package init(_ regime: TranslationRegime, _ memory: any PhysicalMemory) {
    self.regime = regime
    self.memory = memory
  }

  /// Walks the tables for `address`; a tag is removed first.
  public func translate(_ address: VirtualAddress) -> WalkResult {
    memory.walk(regime, address.untagged, cache: cache)
  }
}
