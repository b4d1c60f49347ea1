import VMSA

/// Translates addresses one after another by one set of tables, and keeps in mind the tables that it went
/// through: several times as fast as one walk by itself. It is of one thread; each makes its own.
///
///     let translator = kernel.translator()
///     for address in addresses { print(translator.translate(address)) }
public struct Translator {
  /// The tables.
  package let regime: TranslationRegime
  private let memory: any PhysicalMemory
  private let cache = WalkCache()

  /// Translates by the tables of `regime` in `memory`.
  package init(_ regime: TranslationRegime, _ memory: any PhysicalMemory) {
    self.regime = regime
    self.memory = memory
  }

  /// Walks the tables for `address`; a tag is taken off first.
  public func translate(_ address: VirtualAddress) -> WalkResult {
    memory.walk(regime, address.untagged, cache: cache)
  }
}
