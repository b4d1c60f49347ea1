import KernelLayout
import VMSA

/// MAIR_EL1 as Linux programs it: the register is in no dump, but follows from the kernel.
/// (arch/arm64/mm/proc.S and asm/memory.h; the values are those that emulated machines held.)
enum LinuxMAIR {
  /// The values since a version, the newest first: unused types left in 5.14, normal memory came first in 5.10.
  private static let values: [(since: KernelVersion, mair: UInt64, words: String)] = [
    (KernelVersion(5, 14), 0x0004_0044_ffff, "5.14 and later"),
    (KernelVersion(5, 10), 0x000c_0400_bb44_ffff, "5.10 to 5.13"),
    (KernelVersion(4, 6), 0x0000_bbff_440c_0400, "before 5.10"),
  ]

  /// The register for `release`, which `imageIndex`, the AttrIndx of the kernel's own text, must bear out.
  static func mair(release: String?, imageIndex: Int?) -> Sourced<MemoryAttributeIndirection>? {
    guard let version = release.flatMap(KernelVersion.init(release:)),
      let row = values.first(where: { $0.since <= version })
    else { return nil }
    let mair = MemoryAttributeIndirection(rawValue: row.mair)
    guard let imageIndex, mair.memoryType(imageIndex) == .normal else { return nil }
    return Sourced(mair, "as Linux \(row.words) sets it, borne out by the kernel image's AttrIndx \(imageIndex)")
  }
}
