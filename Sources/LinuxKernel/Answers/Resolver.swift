import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// Resolves addresses and symbols.
final class Resolver: Sendable {
  let context: KernelContext
  let names: KernelNames
  let modules: LoadedModules
  let regions: RegionLookup
  let perCPU: Lazy<PerCPU?>
  let hypervisor: Lazy<Hypervisor>
  let ignoresTopByte: Lazy<Sourced<Bool>?>
  let checks: Lazy<EntryChecks>
  let cpus: Lazy<[CPUState]>
  /// The CPU that called `panic()`; nil if none did, or that is unknown.
  let panicCPU: Lazy<Int?>
  /// The mappings of processes.
  let addressSpaces: AddressSpaces

  private let regime: TranslationRegime
  private let dump: DumpFile

  init(
    _ context: KernelContext, _ names: KernelNames, _ modules: LoadedModules, _ regions: RegionLookup,
    perCPU: Lazy<PerCPU?>, hypervisor: Lazy<Hypervisor>, ignoresTopByte: Lazy<Sourced<Bool>?>,
    checks: Lazy<EntryChecks>, cpus: Lazy<[CPUState]>, panicCPU: Lazy<Int?>, addressSpaces: AddressSpaces
  ) {
    self.context = context
    self.names = names
    self.modules = modules
    self.regions = regions
    self.perCPU = perCPU
    self.hypervisor = hypervisor
    self.ignoresTopByte = ignoresTopByte
    self.checks = checks
    self.cpus = cpus
    self.panicCPU = panicCPU
    self.addressSpaces = addressSpaces
    regime = context.regime
    dump = context.dump
  }

  /// Resolves what `text` asks for.
  ///
  /// - Parameters:
  ///   - trace: include every entry of the walk. An answer that is not `mapped` always has them.
  ///   - user: the tables for user addresses, which cannot be resolved without them.
  func resolve(_ text: String, trace: Bool, user: TranslationRegime?) -> Resolution {
    let asked = lookUp(text)
    guard case .success(let found) = asked else {
      guard case .failure(let failure) = asked else { return Resolution(query: text, status: .badQuery) }
      return Resolution(query: text, status: failure.status, message: failure.diagnostic)
    }
    var resolution = resolve(found.address, query: text, trace: trace, user: user)
    if let advice = found.advice, resolution.status != .mapped { resolution.message = advice }
    if let symbol = found.symbol {
      resolution.symbol = symbol
      resolution.symbolOffset = found.offset
    } else if let address = resolution.virtual?.rawValue, address >> 55 & 1 == 1,
      let symbol = names.symbol(containing: address)
    {
      resolution.symbol = symbol
      resolution.symbolOffset = address &- symbol.address
    }
    return resolution
  }

  // MARK: - From text to an address

  struct Found {
    var address: VirtualAddress
    var symbol: Symbol?
    var offset: UInt64 = 0
    /// What to query instead, if nothing is mapped there.
    var advice: Diagnostic?
  }

  func lookUp(_ text: String) -> Result<Found, QueryFailure> {
    let query: Query
    do throws(Query.Malformed) {
      query = try Query(text)
    } catch {
      return .failure(QueryFailure(.badQuery, Diagnostic(.queryMalformed, text, error.message)))
    }
    switch query.base {
    case .address(let value):
      return .success(Found(address: VirtualAddress(value &+ query.offset)))
    case .physical, .frame: return virtual(of: query)
    case .register(let name, let cpu):
      return register(name, cpu: cpu).map { Found(address: VirtualAddress($0 &+ query.offset)) }
    case .symbol(let name, let module, let cpu):
      let symbol: Symbol?
      if let module {
        guard modules.named(module) != nil else {
          let reason =
            modules.list.value.notes.first ?? Diagnostic(.noSuchModule, module, "no such module is loaded")
          return .failure(QueryFailure(.unknownSymbol, reason.explaining("no module '\(module)'")))
        }
        symbol = names.modules.symbol(named: name, module: module)
      } else {
        symbol = names.symbol(named: name) ?? perCPU.value?.symbol(named: name)
      }
      guard let symbol else { return .failure(unknown(name)) }
      return place(symbol, cpu: cpu, query)
    }
  }

  /// The address of `symbol`, of CPU `cpu`'s copy if it is per-CPU data.
  private func place(_ symbol: Symbol, cpu: Int?, _ query: Query) -> Result<Found, QueryFailure> {
    var found = Found(address: VirtualAddress(symbol.address &+ query.offset), symbol: symbol, offset: query.offset)
    // An address before a symbol belongs to another one.
    if Int64(bitPattern: query.offset) < 0 { found.symbol = nil }
    let name = symbol.module.map { "\($0):\(symbol.name)" } ?? symbol.name
    // A mapped symbol is not a template; the unmapped ones are few, and worth a look-up in the per-CPU data.
    if cpu == nil, context.memory.leaf(at: symbol.address) != nil { return .success(found) }
    let isPerCPU = perCPU.value?.isVariable(
      symbol, of: symbol.module.flatMap { modules.named($0) }, in: context.memory)
    guard let cpu else {
      if isPerCPU == true {
        found.advice = Diagnostic(.perCPUVariable, name, "'\(name)' is a per-CPU variable: use \(name)@cpuN")
      }
      return .success(found)
    }
    guard isPerCPU != false else {
      return .failure(
        QueryFailure(
          .badQuery, Diagnostic(.notPerCPU, name, "'\(name)' is not per-CPU: ask for it without @cpu\(cpu)")))
    }
    guard let moved = perCPUAddress(symbol.address, cpu: cpu) else {
      return .failure(
        QueryFailure(
          .unknownSymbol,
          Diagnostic(
            .noSuchCPU, "cpu\(cpu)",
            "'\(name)' of CPU \(cpu): there is no such CPU, or __per_cpu_offset cannot be read")))
    }
    found.address = VirtualAddress(moved &+ query.offset)
    return .success(found)
  }

  /// The contents of register `name` of CPU `cpu`; if nil, of the CPU that panicked, or the first.
  private func register(_ name: String, cpu: Int?) -> Result<UInt64, QueryFailure> {
    let known = cpus.value.compactMap { state in state.registers.map { (cpu: state.cpu, registers: $0) } }
    guard let found = known.first(where: { $0.cpu == cpu ?? panicCPU.value ?? $0.cpu }) else {
      let which = (cpu ?? panicCPU.value).map { "of CPU \($0)" } ?? "of a CPU"
      return .failure(QueryFailure(.badQuery, Diagnostic(.registersMissing, "the dump has no registers \(which)")))
    }
    switch name {
    case "pc": return .success(found.registers.pc)
    case "sp": return .success(found.registers.sp)
    case "lr": return .success(found.registers.general[30])
    case "fp": return .success(found.registers.general[29])
    default:
      guard name.hasPrefix("x"), let number = Int(name.dropFirst()), found.registers.general.indices.contains(number)
      else {
        return .failure(
          QueryFailure(
            .badQuery,
            Diagnostic(.noSuchRegister, name, "there is no register '$\(name)': give $pc, $sp or $x0 to $x30")))
      }
      return .success(found.registers.general[number])
    }
  }

  /// The address of CPU `cpu`'s copy of the per-CPU variable whose template is at `address`. (`__per_cpu_offset`,
  /// mm/percpu.c)
  private func perCPUAddress(_ address: UInt64, cpu: Int) -> UInt64? {
    guard let offsets = perCPU.value?.offsets, cpu < offsets.count else { return nil }
    let moved = address &+ offsets[cpu]
    return context.memory.leaf(at: moved) == nil ? nil : moved
  }

  private func unknown(_ name: String) -> QueryFailure {
    var names = NameSuggestions(name)
    context.symbols.forEachName { names.consider($0) }
    self.names.modules.forEachSymbol { symbol in
      names.consider(symbol.name)
      return true
    }
    let near = names.best
    let known = context.symbols.origins.joined(separator: ", ")
    let advice =
      near.isEmpty
      ? "known are the symbols of: \(known.isEmpty ? "nothing" : known)"
      : "did you mean \(near.joined(separator: ", "))?"
    let damage = context.symbols.notes.filter { !known.isEmpty && $0.code == .kallsymsDamaged }.map(\.text)
    return QueryFailure(
      .unknownSymbol,
      Diagnostic(
        near.isEmpty ? .noSuchSymbol : .symbolMisspelled, name,
        (["no symbol '\(name)'", advice] + damage).joined(separator: "; ")))
  }

  // MARK: - From an address to its mapping

  /// Resolves an address; its tag is kept in the answer.
  func resolve(
    _ pointer: VirtualAddress, query: String, trace: Bool, user: TranslationRegime?
  ) -> Resolution {
    let address = pointer.untagged
    if let resolution = resolveHypervisor(address, query: query, trace: trace, user: user) { return resolution }
    if let resolution = resolveUntaggable(pointer, query: query) { return resolution }
    let tables = address.isUpperHalf ? regime : user ?? regime
    guard address.isCanonical(bits: tables.addressBits) else {
      var resolution = Resolution(
        query: query, status: .notCanonical,
        message: Diagnostic(
          .notCanonical,
          "not an address of \(tables.addressBits) bits: bits 54 to \(tables.addressBits) differ from bit 55"
            + signature(pointer)))
      resolution.notePoison(pointer)
      resolution.virtual = pointer
      resolution.region = .notCanonical
      return resolution
    }
    var resolution: Resolution
    if address.isUpperHalf {
      resolution = walk(regime, address, query: query, trace: trace)
    } else if let user {
      resolution = walk(user, address, query: query, trace: trace)
      resolution.noteNonPresentPage(NonPresentEntryReader(context))
      if resolution.status == .unmapped, resolution.absentPage == .empty,
        let reason = addressSpaces.reasonUnmapped(address.rawValue, user)
      {
        resolution.message = resolution.message.map { Diagnostic($0.code, $0.subject, "\($0.text); \(reason)") }
      }
    } else {
      let what =
        address.rawValue < 4096 ? Self.null(address) : "an address of user space" + (isHash(address) ? Self.hash : "")
      resolution = Resolution(
        query: query, status: .noTables, message: Diagnostic(.userAddress, what))
    }
    resolution.notePoison(pointer)
    resolution.virtual = address
    resolution.tag = pointer.tag
    // Linux always sets TCR_EL1.TBI0 (TCR_TBI0, arch/arm64/mm/proc.S).
    if pointer.tag != nil {
      resolution.topByteIgnored = address.isUpperHalf ? ignoresTopByte.value?.value : true
    }
    if resolution.region == .kasanShadow {
      resolution.shadowed = context.layout.kasanShadow?.addresses(shadowedAt: address.rawValue)
    }
    if resolution.region == nil {
      resolution.region = address.isUpperHalf ? regions.region(of: address, mappedTo: resolution.physical) : .user
    }
    return resolution
  }

  /// `NULL + 8`: a member accessed through a NULL pointer.
  static func null(_ address: VirtualAddress) -> String {
    address.rawValue == 0 ? "NULL" : "NULL + \(address.rawValue < 10 ? "\(address.rawValue)" : hex(address.rawValue))"
  }

  /// Whether `address` may be a hashed pointer printed by %p: 32 bits. (lib/vsprintf.c, `ptr_to_id`, 4.15)
  private func isHash(_ address: VirtualAddress) -> Bool { address.rawValue >> 28 != 0 && address.rawValue >> 32 == 0 }

  private static let hash = ", or the hash that %p prints of a pointer"

  /// A remark on a pointer that may be signed; empty for any other.
  private func signature(_ pointer: VirtualAddress) -> String {
    withoutPAC(pointer.rawValue).map { "; it may be signed (PAC): without its authentication code it is \(hex($0))" }
      ?? ""
  }

  /// A pointer without its authentication code: bits above the width in use take the value of bit 55. (VMCOREINFO
  /// NUMBER(KERNELPACMASK); 0 if the CPU has none)
  func withoutPAC(_ pointer: UInt64) -> UInt64? {
    let told = context.vmcoreinfo?.number("KERNELPACMASK")
    guard told != 0, pointer >> 55 & 1 == 1 else { return nil }
    // The authentication code of a code pointer includes the top byte, unless that is for tags.
    let mask = told ?? (UInt64.max << UInt64(regime.addressBits) & ~(1 << 55))
    let stripped = pointer | mask | 0xff << 56
    return VirtualAddress(stripped).isCanonical(bits: regime.addressBits) && context.memory.leaf(at: stripped) != nil
      ? stripped : nil
  }

  /// The answer for an address of the upper half with a top byte other than 0xff, if the kernel has generic KASAN and
  /// no TBI1: pointers then have no tags, and such addresses are the KASAN shadow of non-kernel addresses.
  /// (`kasan_non_canonical_hook`, mm/kasan/report.c)
  private func resolveUntaggable(_ pointer: VirtualAddress, query: String) -> Resolution? {
    guard pointer.tag != nil, pointer.isUpperHalf, let shadow = context.layout.kasanShadow, shadow.mode == .generic,
      ignoresTopByte.value?.value != true
    else { return nil }
    var resolution = Resolution(
      query: query, status: .notCanonical,
      message: Diagnostic(
        .notCanonical,
        "bits 63 to 56 differ from bit 55, and no pointer of a kernel with generic KASAN has a tag"
          + signature(pointer)))
    resolution.virtual = pointer
    resolution.region = .notCanonical
    guard let addresses = shadow.addresses(shadowedAt: pointer.rawValue) else {
      resolution.notePoison(pointer)
      return resolution
    }
    let what =
      if addresses.lowerBound < regime.granule.size {
        "a NULL dereference"
      } else if addresses.lowerBound >> UInt64(regime.addressBits) == 0 {
        "an access to user memory"
      } else {
        "an access to what is no address"
      }
    resolution.shadowed = addresses
    resolution.message = Diagnostic(
      .shadowAccess,
      "KASAN's shadow of \(hex(addresses.lowerBound)) to \(hex(addresses.upperBound)): \(what) "
        + "(KASAN_SHADOW_OFFSET \(hex(shadow.offset)))")
    return resolution
  }

  /// Walks the tables of `regime` for `address`, which has no tag.
  func walk(
    _ regime: TranslationRegime, _ address: VirtualAddress, query: String, trace: Bool
  ) -> Resolution {
    var steps = WalkTrace()
    var tables = regime
    func walk(_ memory: some PhysicalMemory) -> WalkResult {
      tables.walk(address, in: memory, observer: &steps)
    }
    var result = walk(self.dump.memory)
    var isShared = false
    // Beyond RAM lies a device, or the tables belong to another machine or are damaged.
    if case .mapped(let leaf) = result, leaf.physical.rawValue >= self.dump.endOfMemory,
      case let outputs = context.outputs.value, case let exact = outputs.applied(to: regime), exact != regime
    {
      isShared = leaf.attributes.descriptor.rawValue & outputs.sharedBits != 0 && !regime.register.isSingleRange
      steps = WalkTrace()
      tables = exact
      result = walk(self.dump.memory)
    }
    var resolution: Resolution
    switch result {
    case .mapped(let leaf):
      resolution = Resolution(query: query, status: .mapped)
      resolution.leaf = leaf
      resolution.absence = dump.memory.absence(at: leaf.physical)
      resolution.message = resolution.absence.map { dump.diagnostic(MemoryFault($0, at: leaf.physical)) }
    case .unmapped(let level):
      resolution = Resolution(
        query: query, status: .unmapped, message: Diagnostic(.entryInvalid, "the entry at level \(level) is invalid"))
    case .tableMissing(let level, let fault):
      resolution = Resolution(
        query: query, status: .tableMissing,
        message: Diagnostic(
          .tableUnreadable, hex(fault.address.rawValue),
          "its table of level \(level) cannot be read: \(dump.describe(fault))"))
    case .corrupt(let level, .reservedEncoding):
      resolution = Resolution(
        query: query, status: .corrupt,
        message: Diagnostic(.reservedEncoding, "the entry at level \(level) has a reserved encoding"))
    case .corrupt(let level, .addressOutOfRange(let target)):
      resolution = Resolution(
        query: query, status: .corrupt,
        message: Diagnostic(
          .addressOutOfRange, hex(target.rawValue),
          "the entry at level \(level) points to \(hex(target.rawValue)), beyond the "
            + "\(tables.physicalBits) bits of physical addresses"))
    case .notCanonical:
      resolution = Resolution(
        query: query, status: .notCanonical, message: Diagnostic(.notCanonical, "outside the range of the tables"))
    }
    resolution.regime = tables
    resolution.isShared = isShared
    if trace || resolution.status != .mapped { resolution.walk = steps.steps }
    if regime.register != .ttbr0EL2 {
      resolution.region = regions.region(of: address, mappedTo: resolution.physical)
      if case .unmapped(let level) = result,
        let reason = checks.value.reasonUnmapped(address, steps.steps.last, in: resolution.region)
      {
        resolution.message = Diagnostic(.dataAliasUnmapped, "the entry at level \(level) is invalid; \(reason)")
      }
      resolution.doubt = checks.value.doubt(address, result, steps.steps, resolution.absence, in: resolution.region)
    }
    return resolution
  }
}

extension Resolution {
  /// Explains `pointer`, which is not mapped, if it is one of the kernel's poison values.
  fileprivate mutating func notePoison(_ pointer: VirtualAddress) {
    guard status != .mapped, let meaning = Poison.name(pointer.rawValue) else { return }
    message = Diagnostic(
      message?.code ?? .notCanonical, message?.subject,
      [meaning, message?.text].compactMap(\.self).joined(separator: "; "))
  }
}
