import Bytes
import DebugInfo
import KernelLayout
import VMSA

/// The known fields of TCR_EL1.
package struct SourcedTranslationControl: Sendable {
  /// The known fields.
  package let value: TranslationControl
  /// The source of a field, as text, if it depends on more than the kernel's version.
  package let sources: [TranslationControl.Field: String]
}

/// The control registers as Linux programs them.
struct LinuxTCR {
  let context: KernelContext
  /// What the log says about the hardware.
  let messages: Lazy<BootMessages>
  /// TCR_EL1.TBI1; nil if unknown.
  let ignoresTopByte: Lazy<Sourced<Bool>?>

  /// The known fields of TCR_EL1 (TCR_EL2 under VHE), with the source of those that depend on more than the kernel's
  /// version.
  ///
  /// `__cpu_setup` (arch/arm64/mm/proc.S) writes the same value on every CPU: what follows from the page size and the
  /// width, constants, and what it read from the CPU's ID registers, which no dump has but the log may mention.
  var value: SourcedTranslationControl {
    var control = TranslationControl()
    var sources: [TranslationControl.Field: String] = [:]
    func set(_ field: TranslationControl.Field, _ value: UInt64?, _ source: String) {
      guard let value else { return }
      control[field] = value
      sources[field] = source
    }
    let granule = context.facts.granule
    set(.t1sz, UInt64(64 - context.facts.vaBitsActual.value), context.facts.vaBitsActual.source)
    let userBits = UserTables(context).bits
    set(.t0sz, UInt64(64 - userBits.value), userBits.source)
    set(.tg0, granule.value.tg0, granule.source)
    set(.tg1, granule.value.tg1, granule.source)
    let isLPA2 = PagingParameters.usesLPA2(granule.value, addressBits: context.facts.vaBitsActual.value)
    set(.ds, isLPA2 ? 1 : 0, "page size and width")

    // TCR_CACHE_FLAGS, TCR_SMP_FLAGS, TCR_ASID16, TCR_TBI0; EPD, HPD and the like are never set.
    let constants: [(TranslationControl.Field, UInt64)] = [
      (.irgn0, 1), (.orgn0, 1), (.irgn1, 1), (.orgn1, 1), (.sh0, 3), (.sh1, 3), (.as16, 1), (.tbi0, 1), (.epd0, 0),
      (.epd1, 0), (.hpd0, 0), (.hpd1, 0), (.tbid0, 0), (.nfd0, 0), (.e0pd0, 0), (.tcma0, 0),
    ]
    for (field, value) in constants { control[field] = value }
    if let isInTTBR1 = context.facts.has(.asidInTTBR1) { control[.a1] = isInTTBR1 ? 1 : 0 }

    let ignoring = ignoresTopByte.value
    set(.tbi1, ignoring.map { $0.value ? 1 : 0 }, ignoring?.source ?? "")
    if ignoring?.value == false {
      set(.tbid1, 0, "no TBI1")
      set(.tcma1, 0, "no TBI1")
    }

    let log = messages.value
    let logged = "the kernel's log"
    // Without hardware dirty state the hardware may still set access flags, which nothing reveals.
    switch log.detected("Hardware dirty bit management") {
    case true?:
      set(.ha, 1, logged)
      set(.hd, 1, logged)
    case false?: set(.hd, 0, logged)
    case nil: break
    }
    set(.e0pd1, log.detected("E0PD").map { $0 ? 1 : 0 }, logged)
    let size = log.physicalBits.flatMap { TranslationControl.physicalWidths.firstIndex(of: $0) }
    set(.ips, size.map(UInt64.init), "\(logged): KVM's IPA size limit")
    return SourcedTranslationControl(value: control, sources: sources)
  }

  /// Whether the kernel unmaps itself while a process runs (KPTI): its mappings are then not global.
  /// (`arm64_use_ng_mappings`, arch/arm64/kernel/cpufeature.c; PTE_MAYBE_NG, asm/pgtable-prot.h)
  var usesKPTI: Sourced<Bool>? {
    let image =
      context.symbols.symbol(named: "_stext").map { VirtualAddress($0.address) } ?? context.facts.swapperVirtual?.value
    guard let leaf = image.flatMap({ context.translate($0).leaf }) else { return nil }
    return Sourced(
      !leaf.attributes.isGlobal, "nG of the kernel's image is \(leaf.attributes.isGlobal ? "clear" : "set")")
  }

  /// Whether TTBRs have CnP set; nil if the log does not say. (`cpu_enable_cnp`, arch/arm64/kernel/cpufeature.c, 4.20)
  var usesCnP: Bool? { messages.value.detected("Common not Private translations") }
}
