import Bytes
import DebugInfo
import VMSA

/// The registers of one CPU at EL2, from `kvm_nvhe_init_params` or derived from the tables.
package struct HypervisorRegisters: Sendable {
  /// The CPU's number; nil if the array of per-CPU bases was not found.
  package let cpu: Int?
  /// The linear address of its `kvm_nvhe_init_params`; nil if they were not found.
  package internal(set) var parameters: UInt64?
  /// TTBR0_EL2, with CnP if the log says that the CPUs support it.
  package let ttbr0: Sourced<UInt64>
  /// TCR_EL2, with PS if known; nil if unknown.
  package internal(set) var tcr: Sourced<UInt64>?
  /// MAIR_EL2.
  package internal(set) var mair: Sourced<UInt64>?
  /// HCR_EL2 as written; bits of features that the CPU lacks would read as zero.
  package internal(set) var hcr: Sourced<UInt64>?
  /// VBAR_EL2 while the host runs: a hyp address.
  package internal(set) var vbar: Sourced<UInt64>?
  /// TPIDR_EL2: the offset of the hypervisor's own per-CPU variables.
  package internal(set) var tpidr: Sourced<UInt64>?
  /// The top of the stack at EL2: a hyp address.
  package internal(set) var stack: Sourced<UInt64>?
}

/// Reads the registers of each CPU at EL2.
///
/// `struct kvm_nvhe_init_params` (5.11, arch/arm64/include/asm/kvm_asm.h) is the per-CPU variable that the kernel hands
/// to the code at EL2. Without a symbol, it is recognised in the pages that the hypervisor maps: it holds the root of
/// the tables at the right offset, and MAIR_EL1's value before it.
struct HypervisorRegistersReader {
  private let context: KernelContext
  private let regions: RegionLookup
  private let control: LinuxTCR
  private let types: MemoryAttributeIndirection?
  private let space: KernelMemory
  private let hypervisor: Hypervisor
  private let regime: TranslationRegime

  init(
    _ context: KernelContext, _ regions: RegionLookup, _ control: LinuxTCR, _ hypervisor: Hypervisor,
    _ regime: TranslationRegime, types: MemoryAttributeIndirection?
  ) {
    self.context = context
    self.regions = regions
    self.control = control
    self.types = types
    space = context.memory
    self.hypervisor = hypervisor
    self.regime = regime
  }

  func cpus() -> [HypervisorRegisters] {
    let vbar = vbar
    let cnp: UInt64 = control.usesCnP == true ? 1 : 0
    let isWide = TTBR.isWide(regime)
    let found = parameters()
    // The tables are the same for each CPU.
    let computed = Sourced(
      TTBR.value(regime.root, isWide: isWide) | cnp, "computed: \(hypervisor.regime?.source ?? "the tables")")
    guard !found.isEmpty else { return [HypervisorRegisters(cpu: nil, ttbr0: computed, vbar: vbar)] }
    return found.map { cpu, address in
      let object = StructView(space: space, address: address)
      let source = "read: kvm_nvhe_init_params at \(hex(address))"
      func member(_ name: String) -> Sourced<UInt64>? {
        object.number(context.types.value.member(name, of: "kvm_nvhe_init_params")).map {
          Sourced($0, "\(source), \(name)")
        }
      }
      let ttbr0 = member("pgd_pa").map {
        Sourced(TTBR.value(PhysicalAddress($0.value), isWide: isWide) | cnp, $0.provenance)
      }
      return HypervisorRegisters(
        cpu: cpu, parameters: address, ttbr0: ttbr0 ?? computed,
        tcr: member("tcr_el2").map {
          Self.withPhysicalSize($0, hcr: member("hcr_el2")?.value, size: control.value.value[.ips])
        }, mair: member("mair_el2"),
        hcr: member("hcr_el2"),
        vbar: vbar,
        tpidr: member("tpidr_el2"), stack: member("stack_hyp_va"))
    }
  }

  /// TCR_EL2 with the physical address size, which the code at EL2 may fill in from the CPU's ID registers
  /// (`___kvm_hyp_init`, arch/arm64/kvm/hyp/nvhe/hyp-init.S): the dump does not have it, except perhaps in the log.
  ///
  /// With HCR_EL2.E2H (hVHE) TCR_EL2 has the layout of TCR_EL1: the size is IPS in bits 34:32, and bits 21:16 are T1SZ.
  /// Without it is PS in bits 18:16. (Arm ARM D24, TCR_EL2)
  static func withPhysicalSize(_ tcr: Sourced<UInt64>, hcr: UInt64?, size: UInt64?) -> Sourced<UInt64> {
    let isE2H = (hcr ?? 0) >> 34 & 1 == 1
    let (name, shift): (String, UInt64) = isE2H ? ("IPS", 32) : ("PS", 16)
    guard tcr.value >> shift & 7 == 0 else { return tcr }
    guard let size else {
      return Sourced(tcr.value, "\(tcr.source); without \(name), which is not known")
    }
    return Sourced(tcr.value | size << shift, "\(tcr.source); \(name) by KVM's IPA size limit in the log")
  }

  /// VBAR_EL2 while the host runs: the hyp address of the vectors for host calls.
  private var vbar: Sourced<UInt64>? {
    for name in ["__kvm_nvhe___kvm_hyp_host_vector", "__kvm_hyp_host_vector"] {
      if let symbol = context.symbols.symbol(named: name),
        let address = hypervisor.address(ofKernel: VirtualAddress(symbol.address), context, regions)
      {
        return Sourced(address, "computed: the hyp address of \(name)")
      }
    }
    return nil
  }

  // MARK: - Where the parameters are

  /// The linear address of each CPU's parameters, with the CPU's number if known.
  private func parameters() -> [(cpu: Int?, address: UInt64)] {
    let names = [
      "__kvm_nvhe_kvm_init_params", "__kvm_nvhe___per_cpu_start", "__kvm_nvhe_kvm_arm_hyp_percpu_base",
      "kvm_arm_hyp_percpu_base",
    ]
    let symbols = context.symbols.addresses(of: names)
    if let variable = symbols[names[0]], let start = symbols[names[1]],
      let bases = symbols[names[2]] ?? symbols[names[3]]
    {
      var result: [(cpu: Int?, address: UInt64)] = []
      while result.count < Limits.cpus, let base = space.word(at: bases &+ UInt64(result.count * 8)), base != 0,
        let linear = linearAddress(base)
      {
        result.append((result.count, linear &+ (variable &- start)))
      }
      return result
    }
    return recognised()
  }

  /// A base as a linear address: pKVM converts them to hyp addresses.
  private func linearAddress(_ base: UInt64) -> UInt64? {
    if VirtualAddress(base).isUpperHalf { return base }
    guard let ram = context.dump.memory.ranges.first?.lowerBound.rawValue, let offset = hypervisor.linearOffset else {
      return nil
    }
    return hypervisor.transform?.value.linearAddress(of: base, like: ram &+ offset)
  }

  private func recognised() -> [(cpu: Int?, address: UInt64)] {
    guard let offset = hypervisor.linearOffset,
      let root = context.types.value.member("pgd_pa", of: "kvm_nvhe_init_params"),
      let mair = context.types.value.member("mair_el2", of: "kvm_nvhe_init_params")
    else { return [] }
    var pages = MappedFrames()
    context.sweep(nil, of: regime, &pages)
    let wanted = types?.rawValue
    var found: [UInt64] = []
    forEachWord(of: pages.writable) { physical, word in
      guard word == regime.root.rawValue, found.count < Limits.cpus else { return }
      let address = physical &- UInt64(root.offset) &+ offset
      // With MTE the tagged memory of index 1 has an attribute of its own.
      guard let value = StructView(space: space, address: address).number(mair),
        wanted.map({ ($0 ^ value) & ~0xff00 == 0 }) ?? true
      else { return }
      found.append(address)
    }
    guard let numbers = numbers(of: found, in: pages.all) else { return found.map { (nil, $0) } }
    return zip(numbers, found).map { (cpu: Int?.some($0), address: $1) }.sorted { $0.address < $1.address }
      .sorted { ($0.cpu ?? 0) < ($1.cpu ?? 0) }
  }

  /// The CPUs whose parameters are at `addresses`: the array of bases (`kvm_arm_hyp_percpu_base`) has for each the base
  /// page, from which the parameters are at the same offset on all CPUs.
  private func numbers(of addresses: [UInt64], in frames: [Range<UInt64>]) -> [Int]? {
    guard let first = addresses.first, Set(addresses).count == addresses.count else { return nil }
    let page = context.regime.granule.size
    let places = Dictionary(uniqueKeysWithValues: addresses.enumerated().map { ($1, $0) })
    var result: [Int]?
    var attempts = 0
    forEachWord(of: frames) { physical, word in
      // A CPU's section has only a few pages.
      guard result == nil, attempts < Limits.cpus, word & (page - 1) == 0, first >= word, first - word < 64 << 10 else {
        return
      }
      attempts += 1
      let distance = first - word
      func place(_ slot: UInt64) -> Int? {
        (try? context.dump.memory.word(at: PhysicalAddress(slot))).flatMap { places[$0 &+ distance] }
      }
      var slot = physical
      while slot >= 8, place(slot - 8) != nil, physical - slot < UInt64(Limits.cpus) * 8 { slot -= 8 }
      var numbers = [Int](repeating: -1, count: addresses.count)
      for cpu in 0..<addresses.count {
        guard let index = place(slot &+ UInt64(cpu * 8)) else { return }
        numbers[index] = cpu
      }
      if !numbers.contains(-1) { result = numbers }
    }
    return result
  }

  /// Calls `body` with each word of `frames` that is in the dump.
  private func forEachWord(of frames: [Range<UInt64>], _ body: (_ physical: UInt64, _ word: UInt64) -> Void) {
    for range in frames {
      for page in stride(from: range.lowerBound, to: range.upperBound, by: 4096) {
        guard let bytes = try? context.dump.memory.bytes(at: PhysicalAddress(page), count: 4096) else { continue }
        let span = bytes.rawSpan
        for offset in stride(from: 0, to: 4096, by: 8) {
          if let word = span.integer(UInt64.self, at: offset) { body(page &+ UInt64(offset), word) }
        }
      }
    }
  }
}

/// The mapped memory worth searching: a hypervisor shares with its kernel a few pages per CPU and the kernel's
/// read-only data.
private struct MappedFrames: SweepObserver {
  var writable: [Range<UInt64>] = []
  var all: [Range<UInt64>] = []
  private var rest = Limits.hypervisorBytes

  mutating func leaf(_ entry: SweptEntry, _ physical: PhysicalAddress) {
    guard entry.size <= rest, physical.rawValue <= .max - entry.size else { return }
    rest -= entry.size
    let range = physical.rawValue..<(physical.rawValue + entry.size)
    all.append(range)
    if !entry.descriptor.has(.ap2) { writable.append(range) }
  }
}
