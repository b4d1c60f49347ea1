import KernelLayout
import VMSA

/// MAIR_EL1 as Linux programs it: the register is in no dump, but follows from the kernel.
/// (arch/arm64/mm/proc.S and asm/memory.h; the values are those that emulated machines held.)
enum LinuxMAIR {
  /// The values since a change, the newest first.
  private static let values: [(since: KernelChange, mair: UInt64, words: String)] = [
    (.fewerMemoryTypes, 0x0004_0044_ffff, "5.14 and later"),
    (.normalMemoryFirst, 0x000c_0400_bb44_ffff, "5.10 to 5.13"),
    (.imageOutsideLinearMap, 0x0000_bbff_440c_0400, "before 5.10"),
  ]

  /// The register for `version`, which `imageIndex`, the AttrIndx of the kernel's own text, must bear out.
  static func mair(_ version: KernelVersion?, imageIndex: Int?) -> Sourced<MemoryAttributeIndirection>? {
    guard let version, let row = values.first(where: { version.has($0.since) })
    else { return nil }
    let mair = MemoryAttributeIndirection(rawValue: row.mair)
    guard let imageIndex, mair.memoryType(imageIndex) == .normal else { return nil }
    return Sourced(mair, "as Linux \(row.words) sets it, borne out by the kernel image's AttrIndx \(imageIndex)")
  }
}
