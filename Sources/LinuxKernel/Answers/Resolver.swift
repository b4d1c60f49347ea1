import Bytes
import CrashDump
import DebugInfo
import KernelLayout
import VMSA

/// Answers what an address or a symbol is mapped to.
final class Resolver: Sendable {
  let context: KernelContext
  let names: KernelNames
  let modules: LoadedModules
  let regions: RegionLookup
  let perCPU: Lazy<PerCPU?>
  let hypervisor: Lazy<Hypervisor>
  let ignoresTopByte: Lazy<Sourced<Bool>?>
  let checks: Lazy<EntryChecks>

  private let regime: TranslationRegime
  private let dump: DumpFile

  init(
    _ context: KernelContext, _ names: KernelNames, _ modules: LoadedModules, _ regions: RegionLookup,
    perCPU: Lazy<PerCPU?>, hypervisor: Lazy<Hypervisor>, ignoresTopByte: Lazy<Sourced<Bool>?>,
    checks: Lazy<EntryChecks>
  ) {
    self.context = context
    self.names = names
    self.modules = modules
    self.regions = regions
    self.perCPU = perCPU
    self.hypervisor = hypervisor
    self.ignoresTopByte = ignoresTopByte
    self.checks = checks
    regime = context.regime
    dump = context.dump
  }

  /// Resolves what `text` asks for.
  ///
  /// - Parameters:
  ///   - trace: give every entry of the walk. An answer that is not `mapped` always has them.
  ///   - user: the tables that translate addresses of user space; without them these have no answer.
  func resolve(_ text: String, trace: Bool, user: TranslationRegime?) -> Resolution {
    let asked = lookUp(text)
    guard case .success(let found) = asked else {
      guard case .failure(let failure) = asked else { return Resolution(query: text, status: .badQuery) }
      return Resolution(query: text, status: failure.status, message: failure.message)
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
    /// What to ask instead, if nothing is mapped there.
    var advice: String?
  }

  func lookUp(_ text: String) -> Result<Found, QueryFailure> {
    let query: Query
    do throws(Query.Malformed) {
      query = try Query(text)
    } catch {
      return .failure(QueryFailure(status: .badQuery, message: error.message))
    }
    switch query.base {
    case .address(let value):
      return .success(Found(address: VirtualAddress(value &+ query.offset)))
    case .symbol(let name, let module, let cpu):
      let symbol: Symbol?
      if let module {
        guard modules.named(module) != nil else {
          let reason = modules.list.value.notes.first ?? "no such module is loaded"
          return .failure(QueryFailure(status: .unknownSymbol, message: "no module '\(module)': \(reason)"))
        }
        symbol = names.modules.symbol(named: name, module: module)
      } else {
        symbol = names.symbol(named: name) ?? perCPU.value?.symbol(named: name)
      }
      guard let symbol else { return .failure(unknown(name)) }
      return place(symbol, cpu: cpu, query)
    }
  }

  /// Where `symbol` is, of CPU number `cpu` if it is per-CPU data.
  private func place(_ symbol: Symbol, cpu: Int?, _ query: Query) -> Result<Found, QueryFailure> {
    var found = Found(address: VirtualAddress(symbol.address &+ query.offset), symbol: symbol, offset: query.offset)
    let name = symbol.module.map { "\($0):\(symbol.name)" } ?? symbol.name
    // What is mapped is no template; the others are few, and worth a look at the per-CPU data.
    if cpu == nil, context.memory.leaf(at: symbol.address) != nil { return .success(found) }
    let isPerCPU = perCPU.value?.isVariable(
      symbol, of: symbol.module.flatMap { modules.named($0) }, in: context.memory)
    guard let cpu else {
      if isPerCPU == true { found.advice = "'\(name)' is a per-CPU variable: use \(name)@cpuN" }
      return .success(found)
    }
    guard isPerCPU != false else {
      return .failure(
        QueryFailure(status: .badQuery, message: "'\(name)' is not per-CPU: ask for it without @cpu\(cpu)"))
    }
    guard let moved = perCPUAddress(symbol.address, cpu: cpu) else {
      return .failure(
        QueryFailure(
          status: .unknownSymbol,
          message: "'\(name)' of CPU \(cpu): there is no such CPU, or __per_cpu_offset cannot be read"))
    }
    found.address = VirtualAddress(moved &+ query.offset)
    return .success(found)
  }

  /// Where CPU number `cpu` has its copy of the per-CPU variable whose template is at `address`.
  /// (`__per_cpu_offset`, mm/percpu.c)
  private func perCPUAddress(_ address: UInt64, cpu: Int) -> UInt64? {
    guard let offsets = perCPU.value?.offsets, cpu < offsets.count else { return nil }
    let moved = address &+ offsets[cpu]
    return context.memory.leaf(at: moved) == nil ? nil : moved
  }

  private func unknown(_ name: String) -> QueryFailure {
    let near = context.symbols.names(like: name).filter { $0 != name }
    let known = context.symbols.origins.joined(separator: ", ")
    let advice =
      near.isEmpty
      ? "known are the symbols of: \(known.isEmpty ? "nothing" : known); give --vmlinux FILE for more"
      : "did you mean \(near.joined(separator: ", "))?"
    let message =
      ["no symbol '\(name)'", advice] + context.symbols.notes.filter { !known.isEmpty && $0.contains("is damaged") }
    return QueryFailure(status: .unknownSymbol, message: message.joined(separator: "; "))
  }

  // MARK: - From an address to its mapping

  /// Resolves an address; its tag is kept in the answer.
  func resolve(
    _ pointer: VirtualAddress, query: String, trace: Bool, user: TranslationRegime?
  ) -> Resolution {
    let address = pointer.untagged
    if let resolution = resolveHypervisor(address, query: query, trace: trace, user: user) { return resolution }
    let tables = address.isUpperHalf ? regime : user ?? regime
    guard address.isCanonical(bits: tables.addressBits) else {
      var resolution = Resolution(
        query: query, status: .notCanonical,
        message: "not an address of \(tables.addressBits) bits: bits 54 to \(tables.addressBits) differ from bit 55")
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
    } else {
      resolution = Resolution(
        query: query, status: .badQuery,
        message: "an address of user space: say with --ttbr0 which tables translate it")
    }
    resolution.virtual = address
    resolution.tag = pointer.tag
    // Linux sets TCR_EL1.TBI0 always (TCR_TBI0, arch/arm64/mm/proc.S).
    if pointer.tag != nil {
      resolution.topByteIgnored = address.isUpperHalf ? ignoresTopByte.value?.value : true
    }
    if resolution.region == nil {
      resolution.region = address.isUpperHalf ? regions.region(of: address, mappedTo: resolution.physical) : .user
    }
    return resolution
  }

  /// Walks the tables of `regime` for `address`, which has no tag.
  func walk(
    _ regime: TranslationRegime, _ address: VirtualAddress, query: String, trace: Bool
  ) -> Resolution {
    var steps = WalkTrace()
    func walk(_ memory: some PhysicalMemory) -> WalkResult {
      regime.walk(address, in: memory, observer: &steps)
    }
    let result = walk(self.dump.memory)
    var resolution: Resolution
    switch result {
    case .mapped(let leaf):
      resolution = Resolution(query: query, status: .mapped)
      resolution.leaf = leaf
      resolution.absence = dump.memory.absence(at: leaf.physical)
      resolution.message = resolution.absence.map { dump.describe(MemoryFault($0, at: leaf.physical)) }
    case .unmapped(let level):
      resolution = Resolution(query: query, status: .unmapped, message: "the entry at level \(level) is invalid")
    case .tableMissing(let level, let fault):
      resolution = Resolution(
        query: query, status: .tableMissing,
        message: "its table of level \(level) cannot be read: \(dump.describe(fault))")
    case .corrupt(let level, .reservedEncoding):
      resolution = Resolution(
        query: query, status: .corrupt, message: "the entry at level \(level) has a reserved encoding")
    case .corrupt(let level, .addressOutOfRange(let target)):
      resolution = Resolution(
        query: query, status: .corrupt,
        message: "the entry at level \(level) points to \(hex(target.rawValue)), beyond the "
          + "\(regime.physicalBits) bits of physical addresses")
    case .notCanonical:
      resolution = Resolution(query: query, status: .notCanonical, message: "outside the range of the tables")
    }
    resolution.regime = regime
    if trace || resolution.status != .mapped { resolution.walk = steps.steps }
    if regime.register != .ttbr0EL2 {
      resolution.region = regions.region(of: address, mappedTo: resolution.physical)
      resolution.doubt = checks.value.doubt(address, result, steps.steps, resolution.absence, in: resolution.region)
    }
    return resolution
  }
}
