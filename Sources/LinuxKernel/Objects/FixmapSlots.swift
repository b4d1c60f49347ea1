import DebugInfo
import KernelLayout
import VMSA

/// The slots of the fixmap, counted down from FIXADDR_TOP. (`__virt_to_fix`, include/asm-generic/fixmap.h)
struct FixmapSlots: Sendable {
  let context: KernelContext

  /// The slot that `address` is in; nil outside the fixmap.
  func slot(of address: UInt64) -> UInt64? {
    guard let fixmap = context.layout.layout?.fixmap, fixmap.contains(address) else { return nil }
    let page = address & ~(context.regime.granule.size - 1)
    return (fixmap.end &- page) >> UInt64(context.regime.granule.pageShift)
  }

  /// The name of `slot`, from the nearest enumerator of `enum fixed_addresses` at or below it: FIX_EARLYCON_MEM_BASE,
  /// FIX_BTMAP_END + 3. nil if the types do not have it.
  func name(of slot: UInt64) -> String? {
    let names = context.types.value.enumerators(of: "fixed_addresses").filter { !$0.name.hasPrefix("__") }
    guard let near = names.filter({ $0.value >= 0 && UInt64($0.value) <= slot }).max(by: { $0.value < $1.value }) else {
      return nil
    }
    let rest = slot - UInt64(near.value)
    return rest == 0 ? near.name : "\(near.name) + \(rest)"
  }
}
