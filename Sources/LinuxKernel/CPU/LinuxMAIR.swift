import KernelLayout
import VMSA

/// MAIR_EL1 as Linux programs it: no dump has the register, but it follows from the kernel and its log.
/// (arch/arm64/mm/proc.S and asm/memory.h; the values were read from emulated machines.)
struct LinuxMAIR: Sendable {
  /// The register.
  let register: Sourced<MemoryAttributeIndirection>
  /// The bits of it that are known.
  let known: UInt64

  /// The values since a change, the newest first.
  private static let values: [(since: KernelChange, mair: UInt64, words: String)] = [
    (.fewerMemoryTypes, 0x0004_0044_ffff, "5.14 and later"),
    (.normalMemoryFirst, 0x000c_0400_bb44_ffff, "5.10 to 5.13"),
    (.imageOutsideLinearMap, 0x0000_bbff_440c_0400, "before 5.10"),
  ]

  /// The register for `version` on a CPU without MTE, which `imageIndex`, the AttrIndx of the kernel's own text, must
  /// confirm.
  static func mair(_ version: KernelVersion?, imageIndex: Int?) -> Sourced<MemoryAttributeIndirection>? {
    guard let version, let row = values.first(where: { version.has($0.since) })
    else { return nil }
    let mair = MemoryAttributeIndirection(rawValue: row.mair)
    guard let imageIndex, mair.memoryType(imageIndex) == .normal else { return nil }
    return Sourced(mair, "as Linux \(row.words) sets it, borne out by the kernel image's AttrIndx \(imageIndex)")
  }

  /// AttrIndx 1 (MT_NORMAL_TAGGED) since 5.10: 0xff, and 0xf0 on CPUs with MTE, if the kernel is built for it.
  /// (`mte_cpu_setup`, arch/arm64/kernel/mte.c; arch/arm64/mm/proc.S before 6.1)
  private static let tagged: UInt64 = 0xff00

  /// `base`, adjusted by what the log says about MTE.
  init(_ base: Sourced<MemoryAttributeIndirection>, _ version: KernelVersion?, hasMTE: Bool?) {
    guard version?.has(.normalMemoryFirst) ?? false else {
      register = base
      known = .max
      return
    }
    known = hasMTE == nil ? ~Self.tagged : .max
    guard hasMTE == true else {
      register = base
      return
    }
    register = Sourced(
      MemoryAttributeIndirection(rawValue: base.value.rawValue & ~Self.tagged | 0xf000),
      "\(base.source); the log says that the CPUs have MTE")
  }
}
