import Bytes
import DebugInfo
import KernelLayout
import VMSA

/// Tables of user space, which have the shape of the kernel's.
struct UserTables: Sendable {
  private let regime: TranslationRegime
  /// The width of user addresses.
  let bits: Sourced<Int>

  init(_ context: KernelContext) {
    regime = context.regime
    let paging = context.facts.paging
    guard paging.mayHaveWiderUser, let symbol = context.symbols.symbol(named: "vabits_user"),
      case let bits = paging.userBits(vabitsUser: context.memory.word(at: symbol.address)), bits != paging.vaBitsActual
    else {
      self.bits = context.facts.vaBitsActual
      return
    }
    self.bits = Sourced(bits, .variable("vabits_user"))
  }

  /// The tables whose root is at `root`. A root smaller than a page need not be page-aligned.
  func regime(root: PhysicalAddress) -> TranslationRegime {
    TranslationRegime(
      register: .ttbr0EL1, granule: regime.granule, tableBits: max(regime.tableBits, bits.value),
      addressBits: max(regime.addressBits, bits.value), format: regime.format, physicalBits: regime.physicalBits,
      root: root)
  }
}
