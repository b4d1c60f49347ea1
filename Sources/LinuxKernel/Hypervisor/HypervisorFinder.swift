import Bytes
import CrashDump
import DebugInfo
import VMSA

/// Finds KVM's part at EL2.
///
/// It reads KVM's variables if they have symbols. A kernel without CONFIG_KALLSYMS_ALL names only functions; then their
/// instructions are decoded: `kvm_mmu_get_httbr` loads the variable with the tables, and `kern_hyp_va` is patched into
/// `create_hyp_mappings` with its constants. Whatever was found is checked against the tables: they must identity-map
/// the hypervisor's code, and map it where the transform puts it.
struct HypervisorFinder {
  private let context: KernelContext
  private let regions: RegionLookup
  private let control: LinuxTCR
  private let types: MemoryAttributeIndirection?
  private let space: KernelMemory
  private let symbols: [String: UInt64]
  private let linearOffset: UInt64?

  private static let names = [
    "va_mask", "tag_lsb", "tag_val", "hyp_pgtable", "merged_hyp_pgd", "hyp_pgd", "__kvm_nvhe_pkvm_pgtable",
    "__kvm_nvhe_hyp_physvirt_offset", "hyp_physvirt_offset", "kvm_mmu_get_httbr", "create_hyp_mappings",
    "__hyp_idmap_text_start", "__hyp_idmap_text_end", "__hyp_text_start", "__kvm_nvhe___hyp_text_start",
    "__boot_cpu_mode",
  ]

  /// - Parameter types: MAIR_EL1, if it follows from the kernel.
  init(
    _ context: KernelContext, _ regions: RegionLookup, _ control: LinuxTCR, _ arithmetic: Arithmetic,
    types: MemoryAttributeIndirection?
  ) {
    self.context = context
    self.regions = regions
    self.control = control
    self.types = types
    space = context.memory
    symbols = context.symbols.addresses(of: Self.names)
    linearOffset = arithmetic.linearOffset?.value
  }

  /// The first CPU whose note has it in the kernel at EL2: PSTATE.M is EL2t or EL2h, and the program counter is in the
  /// upper half, which a hypervisor's own tables never translate.
  private var stoppedAtEL2: Int? {
    context.dump.notes.cpus.first { [8, 9].contains($0.pstate & 0x1f) && VirtualAddress($0.pc).isUpperHalf }?.index
  }

  func find() -> Hypervisor {
    var result = Hypervisor()
    if let cpu = stoppedAtEL2 {
      result.mode = Sourced(.vhe, "PSTATE of CPU \(cpu): it stopped in the kernel at EL2")
      return result
    }
    result.linearOffset = linearOffset
    result.idmap = idmap
    result.transform = transform()
    result.physvirtOffset = physvirtOffset(result.transform?.value)
    if let (mode, regime) = tables(result.transform?.value, result.physvirtOffset?.value) {
      result.mode = Sourced(mode, "the hypervisor has tables of its own")
      result.regime = regime
      result.cpus = HypervisorRegistersReader(context, regions, control, result, regime.value, types: types).cpus()
      if result.transform == nil { result.notes.append(missingTransform) }
      return result
    }
    result.transform = nil
    result.physvirtOffset = nil
    result.mode = modeWithoutTables()
    if result.mode == nil { result.notes.append(missingTables) }
    return result
  }

  private var missingTransform: Diagnostic {
    Diagnostic(
      .symbolUnknown, "va_mask",
      "kern_hyp_va is not known: no symbol names va_mask, and create_hyp_mappings is not known or not patched")
  }
  private var missingTables: Diagnostic {
    symbols["kvm_mmu_get_httbr"] == nil
      ? Diagnostic(
        .symbolUnknown, "kvm_mmu_get_httbr", "no symbol names a function of KVM, if the kernel has it")
      : Diagnostic(
        .hypervisorUnknown,
        "KVM's variables lead to no tables that map its code, and the log does not tell how it was started")
  }

  /// The mode without tables: from the log, or the mode in which the boot CPU was entered. (`kvm_arm_init`,
  /// arch/arm64/kvm/arm.c; `hyp_mode_check`, arch/arm64/kernel/smp.c; BOOT_CPU_MODE_EL1 in
  /// arch/arm64/include/asm/virt.h)
  private func modeWithoutTables() -> Sourced<Hypervisor.Mode>? {
    let log = control.messages.value
    if log.says("VHE mode initialized successfully") || log.detected("Virtualization Host Extensions") == true {
      return Sourced(.vhe, .log)
    }
    if log.says("CPU: All CPU(s) started at EL1") { return Sourced(.unused, .log) }
    if let address = symbols["__boot_cpu_mode"], space.integer(UInt32.self, at: address) == 0xe11,
      space.integer(UInt32.self, at: address &+ 4) == 0xe11
    {
      return Sourced(.unused, "__boot_cpu_mode: every CPU was entered at EL1")
    }
    return nil
  }

  private func physical(_ image: UInt64?) -> UInt64? {
    guard let image, let offset = context.facts.kimageVoffset?.value else { return nil }
    return image &- offset
  }

  private var idmap: Range<UInt64>? {
    guard let start = physical(symbols["__hyp_idmap_text_start"]), let end = physical(symbols["__hyp_idmap_text_end"]),
      start < end, end < 1 << 52
    else { return nil }
    let page = context.regime.granule.size
    return (start & ~(page - 1))..<((end &+ page &- 1) & ~(page - 1))
  }

  // MARK: - The transform

  private func transform() -> Sourced<KernHypVA>? {
    if let mask = symbols["va_mask"].flatMap({ space.word(at: $0) }),
      let lsb = symbols["tag_lsb"].flatMap({ space.integer(UInt8.self, at: $0) }),
      let tag = symbols["tag_val"].flatMap({ space.word(at: $0) }),
      let transform = KernHypVA(vaMask: mask, tagLSB: UInt64(lsb), tagValue: tag)
    {
      return Sourced(transform, "the variables va_mask, tag_lsb and tag_val")
    }
    guard let function = symbols["create_hyp_mappings"] else { return nil }
    let code = FunctionCode(space, at: function, count: 128)
    return KernHypVA(patchedInto: code.instructions).map {
      Sourced($0, "the instructions of kern_hyp_va that were patched into create_hyp_mappings")
    }
  }

  private func physvirtOffset(_ transform: KernHypVA?) -> Sourced<UInt64>? {
    for name in ["__kvm_nvhe_hyp_physvirt_offset", "hyp_physvirt_offset"] {
      if let value = symbols[name].flatMap({ space.word(at: $0) }), value != 0 {
        return Sourced(value, .variable(name))
      }
    }
    guard let transform, let linearOffset, let ram = context.dump.memory.ranges.first?.lowerBound.rawValue else {
      return nil
    }
    let address = transform.hypervisorAddress(ofLinear: ram &+ linearOffset)
    return Sourced(ram &- address, "computed: by kern_hyp_va and the linear map")
  }

  // MARK: - The tables

  private func tables(
    _ transform: KernHypVA?, _ physvirtOffset: UInt64?
  ) -> (Hypervisor.Mode, Sourced<TranslationRegime>)? {
    // pKVM's come first: once it runs, the kernel's own are unused.
    if let structure = symbols["__kvm_nvhe_pkvm_pgtable"], let physvirtOffset,
      let root = StructView(space: space, address: structure).number(
        context.types.value.member("pgd", of: "kvm_pgtable")),
      let regime = borneOut(PhysicalAddress(root &+ physvirtOffset), structure, transform)
    {
      return (.protected, Sourced(regime, "pkvm_pgtable.pgd of the hypervisor, \(evidence)"))
    }
    var variables: [(address: UInt64, name: String)] = []
    for name in ["hyp_pgtable", "merged_hyp_pgd", "hyp_pgd"] {
      if let address = symbols[name] { variables.append((address, "the variable \(name)")) }
    }
    if variables.isEmpty, let function = symbols["kvm_mmu_get_httbr"] {
      variables = FunctionCode(space, at: function, count: 48).loadedVariables.map {
        ($0, "the variable at \(hex($0)) that kvm_mmu_get_httbr loads")
      }
    }
    for (address, name) in variables {
      guard let pointer = space.word(at: address), let target = space.leaf(at: pointer)?.physical else { continue }
      // struct kvm_pgtable since 5.10 ("KVM: arm64: Use generic allocator for hyp stage-1 page-tables"), the root
      // itself before.
      let member = context.types.value.member("pgd", of: "kvm_pgtable")
      let words = (member.map { [UInt64($0.offset)] } ?? Array(stride(from: 0, to: 64, by: 8)))
        .compactMap { space.word(at: pointer &+ $0) }
      let roots = words.compactMap { space.leaf(at: $0)?.physical } + [target]
      for root in roots {
        if let regime = borneOut(root, member == nil ? nil : pointer, transform) {
          return (.nvhe, Sourced(regime, "\(name), \(evidence)"))
        }
      }
    }
    return nil
  }

  private var evidence: String { "borne out: it maps __hyp_idmap_text_start to itself" }

  /// The tables under `root`, if they map the hypervisor's code as required.
  private func borneOut(
    _ root: PhysicalAddress, _ structure: UInt64?, _ transform: KernHypVA?
  ) -> TranslationRegime? {
    guard root.rawValue & 63 == 0, let start = physical(symbols["__hyp_idmap_text_start"]) else { return nil }
    var widths = [max(48, context.regime.addressBits), context.regime.tableBits, 48, 52]
    let object = structure.map { StructView(space: space, address: $0) }
    if let bits = object?.number(context.types.value.member("ia_bits", of: "kvm_pgtable")), (30...52).contains(bits) {
      widths.insert(Int(bits), at: 0)
    }
    let text = physical(symbols["__kvm_nvhe___hyp_text_start"] ?? symbols["__hyp_text_start"])
    for bits in widths {
      let regime = TranslationRegime(
        register: .ttbr0EL2, granule: context.regime.granule, tableBits: bits, format: context.regime.format,
        physicalBits: context.regime.physicalBits, root: root)
      func maps(_ address: UInt64, to physical: UInt64) -> Bool {
        self.context.dump.memory.walk(regime, VirtualAddress(address)).leaf?.physical.rawValue == physical
      }
      guard maps(start, to: start) else { continue }
      if let transform, let linearOffset, let text,
        !maps(transform.hypervisorAddress(ofLinear: text &+ linearOffset), to: text)
      {
        continue
      }
      return regime
    }
    return nil
  }
}
