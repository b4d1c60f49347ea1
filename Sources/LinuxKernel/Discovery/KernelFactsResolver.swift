import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// Finds the kernel's page tables in a dump: combines VMCOREINFO, overrides and the tables themselves, and checks the
/// result by walking.
struct KernelFactsResolver {
  let dump: DumpFile
  let vmcoreinfo: VMCoreInfo?
  let overrides: KernelOverrides
  let symbols: [any SymbolSource]
  /// Why no VMCOREINFO was found, if known.
  var failure: String?
  /// What the user should know before trusting the answers.
  private(set) var warnings: [Diagnostic] = []

  init(dump: DumpFile, vmcoreinfo: VMCoreInfo?, overrides: KernelOverrides, symbols: [any SymbolSource]) {
    self.dump = dump
    self.vmcoreinfo = vmcoreinfo
    self.overrides = overrides
    self.symbols = symbols
  }

  /// Whether the tables map the kernel where the facts put it.
  enum Confirmation {
    case confirmed, refuted
    /// The facts do not locate the kernel, or its tables are not in the dump.
    case unknown
  }

  /// The facts, the kernel's half of the address space as they give it, and whether its tables map the kernel
  /// where the facts put it.
  mutating func resolve() throws(LocatedError)
    -> (facts: KernelFacts, regime: TranslationRegime, confirmation: Confirmation)
  {
    let granule = try granule()
    let vaBits = try vaBits()
    let kimageVoffset = kimageVoffset()
    let swapper = try swapper(kimageVoffset: kimageVoffset)
    let physicalBits = physicalBits()
    func regime(table: Int, address: Int) -> TranslationRegime {
      .kernel(
        granule.value, tableBits: table, addressBits: address, physicalBits: physicalBits?.value,
        root: swapper.physical.value)
    }
    let actual = vaBitsActual(granule: granule.value, vaBits: vaBits.value, probe: probe(kimageVoffset), regime)
    let paging = PagingParameters(granule: granule.value, vaBits: vaBits.value, vaBitsActual: actual.value)
    checkOverrides(granule.value, actual)
    let candidates = paging.tableShapes.map { regime(table: $0, address: min(actual.value, $0)) }
    let confirmed = probe(kimageVoffset).flatMap { probe in candidates.first { confirms($0, probe) } }
    var confirmation: Confirmation = confirmed == nil ? .unknown : .confirmed
    if confirmed == nil, let probe = probe(kimageVoffset) {
      warnings.append(doubt(candidates[0], probe))
      switch dump.memory.walk(candidates[0], probe.virtual) {
      // A root outside dumped memory is wrong; other tables may have been filtered out.
      case .tableMissing(let level, let fault)
      where level != candidates[0].startLevel || fault.absence != .notInDump: break
      default: confirmation = .refuted
      }
    }
    let facts = KernelFacts(
      granule: granule, vaBits: vaBits,
      vaBitsActual: actual, physicalBits: physicalBits,
      kaslrOffset: vmcoreinfo?.kernelOffset.map { Sourced($0, source("KERNELOFFSET")) },
      kimageVoffset: kimageVoffset, physOffset: physOffset(), swapperVirtual: swapper.virtual,
      swapperPhysical: swapper.physical,
      release: vmcoreinfo?.release.map { Sourced($0, source("OSRELEASE")) },
      buildID: vmcoreinfo?.buildID.map { Sourced($0, source("BUILD-ID")) },
      crashTime: vmcoreinfo?.crashTime.map { Sourced($0, source("CRASHTIME")) })
    return (facts, confirmed ?? candidates[0], confirmation)
  }

  /// Warns about overrides that the dump contradicts.
  private mutating func checkOverrides(_ granule: Granule, _ actual: Sourced<Int>) {
    if let given = overrides.vaBits, given != actual.value,
      given <= 48 || PagingParameters(granule: granule, vaBits: given).vaBitsMin != actual.value
    {
      warnings.append(
        Diagnostic(
          .overrideContradicted, "VA_BITS",
          "\(overrides.name(.vaBits)) \(given) contradicts the tables: they translate \(actual.value) bits, by "
            + actual.source))
    } else if let given = overrides.vaBits, let told = vmcoreinfo?.number("VA_BITS"), told == UInt64(actual.value),
      told != UInt64(given)
    {
      // The tables agree with both.
      warnings.append(
        Diagnostic(
          .overrideContradicted, "VA_BITS",
          "\(overrides.name(.vaBits)) \(given) contradicts \(source("NUMBER(VA_BITS)")), which is \(told)"))
    }
  }

  // MARK: - Single facts

  private func source(_ key: String) -> Provenance {
    vmcoreinfo?.source(key) ?? .vmcoreinfo(key: key, origin: "VMCOREINFO")
  }

  private func granule() throws(LocatedError) -> Sourced<Granule> {
    let (size, source) =
      if let size = overrides.pageSize { (size, overrides.provenance(.pageSize)) } else {
        (try need(vmcoreinfo?.pageSize, "the page size", "PAGESIZE", .pageSize), source("PAGESIZE"))
      }
    guard let granule = Granule(size: size) else {
      throw error(
        .malformed, "says that pages have \(size) bytes, which arm64 does not have; give \(overrides.name(.pageSize))")
    }
    return Sourced(granule, source)
  }

  private func vaBits() throws(LocatedError) -> Sourced<Int> {
    if let bits = overrides.vaBits { return Sourced(bits, overrides.provenance(.vaBits)) }
    let bits = try need(vmcoreinfo?.number("VA_BITS"), "the VA width", "NUMBER(VA_BITS)", .vaBits)
    guard PagingParameters.widths.contains(where: { $0 == bits }) else {
      throw error(
        .malformed,
        "says that virtual addresses have \(bits) bits, which no kernel has; give \(overrides.name(.vaBits))")
    }
    return Sourced(Int(bits), source("NUMBER(VA_BITS)"))
  }

  private func kimageVoffset() -> Sourced<UInt64>? {
    if let offset = overrides.kimageVoffset { return Sourced(offset, overrides.provenance(.kimageVoffset)) }
    return vmcoreinfo?.number("kimage_voffset").map { Sourced($0, source("NUMBER(kimage_voffset)")) }
  }

  private func physOffset() -> Sourced<UInt64>? {
    if let offset = overrides.physOffset { return Sourced(offset, overrides.provenance(.physOffset)) }
    return vmcoreinfo?.number("PHYS_OFFSET").map { Sourced($0, source("NUMBER(PHYS_OFFSET)")) }
  }

  private mutating func physicalBits() -> Sourced<Int>? {
    guard let bits = vmcoreinfo?.number("MAX_PHYSMEM_BITS") else { return nil }
    guard (32...52).contains(bits) else {
      warnings.append(
        Diagnostic(
          .vmcoreinfoLine, "NUMBER(MAX_PHYSMEM_BITS)",
          "VMCOREINFO says that physical addresses have \(bits) bits; taken as 52"))
      return nil
    }
    return Sourced(Int(bits), source("NUMBER(MAX_PHYSMEM_BITS)"))
  }

  /// The address of the kernel's root table. A value with bit 55 set is virtual, and in the kernel image.
  private func swapper(
    kimageVoffset: Sourced<UInt64>?
  ) throws(LocatedError) -> (virtual: Sourced<VirtualAddress>?, physical: Sourced<PhysicalAddress>) {
    let (value, source) =
      if let value = overrides.swapperPgDir { (value, overrides.provenance(.swapperPgDir)) } else {
        (
          try need(
            vmcoreinfo?.symbol("swapper_pg_dir"), "the kernel's root table", "SYMBOL(swapper_pg_dir)",
            .swapperPgDir),
          source("SYMBOL(swapper_pg_dir)")
        )
      }
    let address = VirtualAddress(value)
    guard address.isUpperHalf else { return (nil, Sourced(PhysicalAddress(value), source)) }
    let offset = try need(
      kimageVoffset?.value, "the offset of the kernel image", "NUMBER(kimage_voffset)", .kimageVoffset)
    return (
      Sourced(address, source),
      Sourced(PhysicalAddress(value &- offset), .derived(from: source, "minus kimage_voffset"))
    )
  }

  /// The width in use, from the most trusted source to the least: TCR_EL1, the kernel's variable, the configuration if
  /// it leaves no choice, the tables.
  private mutating func vaBitsActual(
    granule: Granule, vaBits: Int, probe: Probe?, _ regime: (Int, Int) -> TranslationRegime
  ) -> Sourced<Int> {
    // The kernel runs with the configured width or, on hardware without 52 bits, with VA_BITS_MIN. An override does not
    // invalidate what the dump says.
    let told = vmcoreinfo?.number("VA_BITS").map { Int(clamping: $0) }.flatMap {
      PagingParameters.widths.contains($0) ? $0 : nil
    }
    let allowed = [vaBits, told ?? vaBits].flatMap { bits in
      [bits, PagingParameters(granule: granule, vaBits: bits).vaBitsMin]
    }
    // Some vendor kernels print the name in lower case.
    for name in ["TCR_EL1_T1SZ", "tcr_el1_t1sz"] {
      guard let size = vmcoreinfo?.number(name) else { continue }
      if size < 64, allowed.contains(64 - Int(size)) {
        return Sourced(64 - Int(size), source("NUMBER(\(name))"))
      }
      warnings.append(
        Diagnostic(
          .vmcoreinfoLine, "NUMBER(\(name))",
          "VMCOREINFO says NUMBER(\(name))=\(size), which no kernel of VA_BITS \(vaBits) has; ignored"))
    }
    if let offset = kimageVoffset()?.value,
      let symbol = symbols.lazy.compactMap({ $0.symbol(named: "vabits_actual") }).first,
      let word = try? dump.memory.word(at: PhysicalAddress((symbol.address &- offset) & ~7)),
      allowed.contains(Int(clamping: word))
    {
      return Sourced(Int(word), .variable("vabits_actual"))
    }
    guard vaBits == 52 else { return Sourced(vaBits, "VA_BITS, which leaves no choice") }
    if granule == .sixtyFourKiB {
      // The tables have one shape for both widths, and the linear map begins at the lowest address of the one in use.
      let root = regime(52, 52).root
      for index in 0..<PagingParameters.rootEntriesBeyond48Bits {
        if let entry = try? dump.memory.word(at: root &+ UInt64(index * 8)), entry & 1 == 1 {
          return Sourced(52, .tables("the root table, which has entries that 48 bits do not reach"))
        }
      }
      return Sourced(48, .tables("the root table, which has no entry that 48 bits do not reach"))
    }
    let fallback = PagingParameters(granule: granule, vaBits: vaBits).vaBitsMin
    if let probe, !confirms(regime(52, 52), probe), confirms(regime(fallback, fallback), probe) {
      return Sourced(fallback, .tables("the tables, which map the kernel in the \(fallback)-bit shape only"))
    }
    return Sourced(52, "VA_BITS; nothing says whether the hardware had fewer")
  }

  // MARK: - Confirmation

  /// An address in the kernel image and its expected physical address.
  struct Probe {
    var virtual: VirtualAddress
    var physical: PhysicalAddress
  }

  /// `_stext`, which every kernel keeps mapped; the bytes before it are not from 5.11 to 6.17.
  private func probe(_ kimageVoffset: Sourced<UInt64>?) -> Probe? {
    guard let offset = kimageVoffset?.value,
      let address = vmcoreinfo?.symbol("_stext") ?? vmcoreinfo?.symbol("swapper_pg_dir")
    else { return nil }
    return Probe(virtual: VirtualAddress(address), physical: PhysicalAddress(address &- offset))
  }

  private func confirms(_ regime: TranslationRegime, _ probe: Probe) -> Bool {
    dump.memory.walk(regime, probe.virtual).leaf?.physical == probe.physical
  }

  /// The diagnostic for tables that do not confirm where the kernel is: which step failed.
  private func doubt(_ regime: TranslationRegime, _ probe: Probe) -> Diagnostic {
    let kernel = "the kernel's text at \(hex(probe.virtual.rawValue))"
    if case .tableMissing(let level, let fault) = dump.memory.walk(regime, probe.virtual) {
      return Diagnostic(
        .kernelUnconfirmed,
        "\(kernel) cannot be checked: its table of level \(level): \(self.dump.describe(fault))")
    }
    return Diagnostic(
      .kernelUnconfirmed,
      "the tables at \(hex(regime.root.rawValue)) do not map \(kernel) to \(hex(probe.physical.rawValue)); "
        + "answers may be wrong (try \(overrides.name(.swapperPgDir)) or \(overrides.name(.kimageVoffset)))")
  }

  // MARK: - Errors

  private func error(_ kind: LocatedError.Kind, _ message: String) -> LocatedError {
    LocatedError(file: dump.path, kind: kind, message)
  }

  private func need(
    _ value: UInt64?, _ what: String, _ line: String, _ fact: KernelOverrides.Fact
  ) throws(LocatedError) -> UInt64 {
    if let value { return value }
    // No override fixes wrong addresses of raw memory.
    if vmcoreinfo == nil, let failure { throw error(.missing, failure) }
    let reason =
      if let vmcoreinfo {
        vmcoreinfo.damage.first { $0.subject == line }?.text ?? "its VMCOREINFO has no line \(line)"
      } else {
        "the dump has no VMCOREINFO, and no root table was found in it"
      }
    throw error(.missing, "does not tell \(what): \(reason); give \(overrides.name(fact))")
  }
}
