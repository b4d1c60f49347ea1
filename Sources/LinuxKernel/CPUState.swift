import Bytes
import CrashDump
import DebugInfo
import VMSA

/// What a CPU was doing when the dump was taken.
public struct CPUState: Sendable {
  /// Its number.
  public let cpu: Int
  /// Its registers, where the dump has a note of them.
  public let registers: CPURegisters?
  /// The task that it ran; nil where that cannot be found.
  public let task: KernelTask?
  /// TTBR0_EL1 (TTBR0_EL2 under VHE): the tables of user space, without CnP; nil where they cannot be found.
  public let ttbr0: Sourced<UInt64>?
  /// TTBR1_EL1 (TTBR1_EL2 under VHE): the tables of the kernel, with the ASID where it is known.
  public let ttbr1: Sourced<UInt64>
}

extension Kernel {
  /// The CPUs. Their tasks need types; without them there are the notes alone.
  public var cpus: [CPUState] { contents.cpus(of: self) }

  /// The tables of user space that `text` says: 0x and a physical address, a PID, or cpuN.
  public func userRegime(_ text: String) -> Result<TranslationRegime, QueryFailure> {
    func fail(_ message: String) -> Result<TranslationRegime, QueryFailure> {
      .failure(QueryFailure(status: .badQuery, message: message))
    }
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      guard let root = Query.number(text) else { return fail("'\(text)' is no physical address") }
      return .success(userRegime(root: PhysicalAddress(root)))
    }
    if text.hasPrefix("cpu"), let number = Int(text.dropFirst(3)) {
      guard let state = cpus.first(where: { $0.cpu == number }) else { return fail("there is no CPU \(number)") }
      guard let value = state.ttbr0?.value else {
        return fail(
          "the user tables of CPU \(number) cannot be found: \(tasks.notes.first ?? "its task is not known"); "
            + "give their physical address")
      }
      return .success(userRegime(root: TTBR.root(value, isWide: TTBR.isWide(regime))))
    }
    guard let pid = Int(text), pid >= 0 else { return fail("'\(text)' is neither a PID, cpuN nor 0x and an address") }
    guard let task = tasks.elements.first(where: { $0.pid == pid }) else {
      return fail("there is no task with PID \(pid)\(tasks.notes.first.map { ": \($0)" } ?? "")")
    }
    guard task.mm != nil else { return fail("PID \(pid) (\(task.comm)) is a kernel thread: it has no user space") }
    guard let root = task.root else { return fail("the root table of PID \(pid) cannot be read") }
    return .success(userRegime(root: root))
  }
}

/// TTBRn_EL1 as a number. (Arm ARM D19, TTBR0_EL1; arch/arm64/include/asm/assembler.h, `phys_to_ttbr`)
enum TTBR {
  /// Whether roots have 52 bits: their top four then stand in bits 5:2.
  static func isWide(_ regime: TranslationRegime) -> Bool { regime.tableBits == 52 }

  /// The register for the root table at `root`.
  static func value(_ root: PhysicalAddress, isWide: Bool, asid: Int = 0) -> UInt64 {
    let address = isWide ? (root.rawValue | root.rawValue >> 46) & 0x0000_ffff_ffff_fffc : root.rawValue
    return address | UInt64(asid & 0xffff) << 48
  }

  /// The root table that the register holds, ASID and CnP taken off.
  static func root(_ value: UInt64, isWide: Bool) -> PhysicalAddress {
    let low = value & 0x0000_ffff_ffff_ffc0
    return PhysicalAddress(isWide ? low | (value >> 2 & 0xf) << 48 : value & 0x0000_ffff_ffff_fffe)
  }
}

extension KernelContents {
  fileprivate func cpus(of kernel: Kernel) -> [CPUState] {
    let notes = kernel.dump.notes.cpus
    let regime = kernel.regime
    let isWide = TTBR.isWide(regime)
    // 64 KiB, 52-bit tables on hardware of 48 bits: the register points at the part that the CPU sees
    // (TTBR1_BADDR_4852_OFFSET, asm/pgtable-hwdef.h).
    let shift =
      regime.granule == .sixtyFourKiB && regime.tableBits == 52 && regime.addressBits == 48 ? UInt64(0x1e00) : 0
    func ttbr1(_ asid: Int?) -> Sourced<UInt64> {
      Sourced(
        TTBR.value(regime.root &+ shift, isWide: isWide, asid: asid ?? 0),
        "computed: swapper_pg_dir\(shift > 0 ? " plus 0x1e00" : "")\(asid == nil ? "" : ", the ASID of the task's mm")")
    }
    guard let perCPU = perCPU.value, let reader = TaskReader(space, types.value) else {
      return notes.map { CPUState(cpu: $0.index, registers: $0, task: nil, ttbr0: nil, ttbr1: ttbr1(nil)) }
    }
    let running: [KernelTask?] = perCPU.offsets.indices.map { cpu in
      perCPU.address("__entry_task", cpu: cpu).flatMap { space.word(at: $0) }.flatMap { reader.task(at: $0) }
    }
    let registers = Self.assign(notes, to: running)
    return perCPU.offsets.indices.map { cpu in
      let task = running[cpu]
      let mm = task.flatMap { memory(of: $0) }
      let ttbr0 = mm.flatMap { mm -> Sourced<UInt64>? in
        guard let root = mm.root else { return nil }
        return Sourced(TTBR.value(root, isWide: isWide), "computed: the pgd of \(mm.source)")
      }
      return CPUState(cpu: cpu, registers: registers[cpu], task: task, ttbr0: ttbr0, ttbr1: ttbr1(mm?.asid))
    }
  }

  /// The address space that a CPU running `task` has: the task's own, or the one it keeps lazily.
  private func memory(of task: KernelTask) -> (root: PhysicalAddress?, asid: Int?, source: String)? {
    if task.mm != nil { return (task.root, task.asid, "\(task.comm)'s mm") }
    let object = KernelObject(space: space, address: task.structure)
    guard let active = object.number(types.value.member("active_mm", of: "task_struct")), active != 0 else {
      return nil
    }
    let mm = KernelObject(space: space, address: active)
    guard let pgd = mm.number(types.value.member("pgd", of: "mm_struct")),
      let root = space.leaf(at: pgd)?.physical
    else { return nil }
    let asid = mm.number(types.value.member("context.id.counter", of: "mm_struct")).map { Int($0 & 0xffff) }
    // init_mm has the kernel's own tables, which are never in TTBR0: the reserved ones are there instead,
    // a page below since 5.11 (cpu_set_reserved_ttbr0).
    if pgd == vmcoreinfo?.symbol("swapper_pg_dir") {
      let reserved = symbols.symbol(named: "reserved_pg_dir")?.address ?? pgd &- space.regime.granule.size
      return (space.leaf(at: reserved)?.physical, nil, "reserved_pg_dir, since the task keeps init_mm")
    }
    return (root, asid, "\(task.comm)'s active_mm")
  }

  /// The notes by CPU. QEMU writes one for each CPU in their order; the kernel leaves out CPUs that did not
  /// stop, so that a note belongs to the CPU whose task it names.
  private static func assign(_ notes: [CPURegisters], to running: [KernelTask?]) -> [Int: CPURegisters] {
    if notes.count == running.count {
      return Dictionary(uniqueKeysWithValues: zip(running.indices, notes))
    }
    var result: [Int: CPURegisters] = [:]
    for note in notes {
      let matches = running.indices.filter { cpu in
        guard result[cpu] == nil, let task = running[cpu] else { return false }
        return task.pid == Int(note.pid) && (task.pid != 0 || note.sp &- task.stack < 64 << 10)
      }
      if matches.count == 1 { result[matches[0]] = note }
    }
    return result
  }
}
