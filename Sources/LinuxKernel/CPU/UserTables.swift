import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// User tables, which have the shape of the kernel's.
struct UserTables: Sendable {
  private let regime: TranslationRegime
  private let dump: DumpFile
  /// The width of user addresses.
  let bits: Sourced<Int>

  init(_ context: KernelContext) {
    regime = context.regime
    dump = context.dump
    let paging = context.facts.paging
    guard paging.mayHaveWiderUser else {
      bits = context.facts.vaBitsActual
      return
    }
    let variable = context.symbols.symbol(named: "vabits_user").flatMap { context.memory.word(at: $0.address) }
    let width = paging.userBits(vabitsUser: variable, tableBits: context.regime.tableBits)
    guard width != paging.vaBitsActual else {
      bits = context.facts.vaBitsActual
      return
    }
    bits = Sourced(
      width,
      variable == nil
        ? .tables("the shape of the root table, which a 48-bit kernel has for user space of 52 bits")
        : .variable("vabits_user"))
  }

  /// The root table for `value`: a physical address, or the raw TTBR0 with ASID, CnP and the upper bits of a 52-bit
  /// address.
  ///
  /// - Returns: nil if no table can begin there: a root is aligned to its size, and to 64 bytes with 52-bit addresses.
  func root(_ value: UInt64) -> PhysicalAddress? {
    let tables = regime(root: PhysicalAddress(0))
    let isWide = TTBR.isWide(tables)
    let alignment = UInt64(max(tables.rootSize, isWide ? 64 : 8))
    let register = TTBR.root(value, isWide: isWide)
    // Bits above 47 are the ASID or part of the address; the dump's memory shows which.
    let candidates = [register] + (isWide && value >> 52 == 0 ? [PhysicalAddress(value)] : [])
    let aligned = candidates.filter { $0.rawValue & (alignment - 1) == 0 }
    return aligned.first { dump.memory.absence(at: $0) != .notInDump } ?? aligned.first
  }

  /// The tables whose root is at `root`. A root smaller than a page need not be page-aligned.
  func regime(root: PhysicalAddress) -> TranslationRegime {
    TranslationRegime(
      register: .ttbr0EL1, granule: regime.granule, tableBits: max(regime.tableBits, bits.value),
      addressBits: max(regime.addressBits, bits.value), format: regime.format, physicalBits: regime.physicalBits,
      root: root)
  }
}
