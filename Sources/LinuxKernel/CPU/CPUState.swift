import Bytes
import CrashDump
import DebugInfo
import VMSA

/// What a CPU was doing when the dump was taken.
public struct CPUState: Sendable {
  /// Its number.
  public let cpu: Int
  /// Its registers, if the dump has a note of them.
  public let registers: CPURegisters?
  /// The task that it ran; nil if unknown.
  public let task: KernelTask?
  /// TTBR0_EL1 (TTBR0_EL2 under VHE): the user tables, or empty ones if the CPU has those installed; nil if unknown.
  public let ttbr0: Sourced<UInt64>?
  /// TTBR1_EL1 (TTBR1_EL2 under VHE): the tables of the kernel, or of its trampoline while a process runs under KPTI,
  /// with the ASID if known; nil if it holds tables that were not found, as its source says. Both registers have CnP if
  /// the log says that the CPUs support it.
  public let ttbr1: Sourced<UInt64?>
  /// The user tables of the CPU's task, even if the register does not hold them.
  public let userTables: PhysicalAddress?
  /// Whether it was at EL0 when it stopped; nil if unknown, as in the kernel's own dumps, whose notes predate the dump.
  public let isAtEL0: Bool?
}

/// TTBRn_EL1 as a number. (Arm ARM D19, TTBR0_EL1; arch/arm64/include/asm/assembler.h, `phys_to_ttbr`)
enum TTBR {
  /// Whether roots have 52-bit addresses, whose top four bits are in bits 5:2.
  static func isWide(_ regime: TranslationRegime) -> Bool { regime.format != .bits48(regime.granule) }

  /// The register for the root table at `root`.
  static func value(_ root: PhysicalAddress, isWide: Bool, asid: Int = 0) -> UInt64 {
    let address = isWide ? (root.rawValue | root.rawValue >> 46) & 0x0000_ffff_ffff_fffc : root.rawValue
    return address | UInt64(asid & 0xffff) << 48
  }

  /// The root table in the register, without ASID and CnP.
  static func root(_ value: UInt64, isWide: Bool) -> PhysicalAddress {
    let low = value & 0x0000_ffff_ffff_ffc0
    return PhysicalAddress(isWide ? low | (value >> 2 & 0xf) << 48 : value & 0x0000_ffff_ffff_fffe)
  }
}

/// Reads what each CPU was doing.
struct CPUStateReader {
  let context: KernelContext
  let control: LinuxTCR
  let rootTables: [RootTable]
  let perCPU: PerCPU?
  let tasks: Lazy<Listing<KernelTask>>

  private var space: KernelMemory { context.memory }
  private var types: KernelTypes { context.types.value }

  /// The CPUs. Their tasks need types; without them there are only the notes.
  func all() -> [CPUState] {
    let notes = context.dump.notes.cpus
    let registers = TTBRReader(context, control, rootTables)
    guard let reader = TaskReader(space, types) else {
      return notes.map { registers.state($0.index, $0, task: nil, memory: nil, saved: nil) }
    }
    let cpus = perCPU?.offsets.indices ?? notes.indices
    var running: [KernelTask?] = cpus.map { cpu in
      perCPU?.address("__entry_task", cpu: cpu).flatMap { space.pointer(at: $0) }.flatMap { reader.task(at: $0) }
    }
    if running.contains(where: { $0 == nil }) {
      let finder = RunningTasks(reader, tasks.value.elements, space)
      for cpu in cpus where running[cpu] == nil {
        running[cpu] = finder.task(of: cpu, notes.count == cpus.count ? [notes[cpu]] : notes)
      }
    }
    let assigned = Self.assign(notes, to: running)
    // Only kernels with CONFIG_ARM64_SW_TTBR0_PAN have it, and it is 0 if the CPUs have PAN.
    let saved = types.member("thread_info.ttbr0", of: "task_struct")
    return cpus.map { cpu in
      let task = running[cpu]
      return registers.state(
        cpu, assigned[cpu], task: task, memory: task.flatMap { memory(of: $0) },
        saved: task.flatMap { StructView(space: space, address: $0.structure).number(saved) })
    }
  }

  /// The address space of a CPU running `task`: the task's own, or its lazy `active_mm`.
  private func memory(of task: KernelTask) -> TaskMemory? {
    if task.mm != nil { return TaskMemory(root: task.root, asid: task.asid, source: "\(task.comm)'s mm") }
    let object = StructView(space: space, address: task.structure)
    guard let active = object.pointer(types.member("active_mm", of: "task_struct")), active != 0 else {
      return nil
    }
    let mm = StructView(space: space, address: active)
    guard let pgd = mm.number(types.member("pgd", of: "mm_struct")),
      let root = space.leaf(at: pgd)?.physical
    else { return nil }
    let asid = mm.number(types.member("context.id.counter", of: "mm_struct")).map { Int($0 & 0xffff) }
    // init_mm has the kernel's own tables, which are never in TTBR0: it holds empty ones instead, reserved_pg_dir since
    // 5.11, the zero page before (`cpu_set_reserved_ttbr0`, asm/mmu_context.h).
    if root == context.regime.root {
      let reserved = rootTables.first { $0.name == "reserved_pg_dir" }?.physical
      let zeros = reserved == nil ? context.symbols.symbol(named: "empty_zero_page")?.address : nil
      return TaskMemory(
        root: reserved ?? zeros.flatMap { space.leaf(at: $0)?.physical }, asid: nil,
        source: "\(reserved == nil ? "empty_zero_page" : "reserved_pg_dir"), since the task keeps init_mm",
        isReserved: true)
    }
    return TaskMemory(root: root, asid: asid, source: "\(task.comm)'s active_mm")
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

/// The user address space of a CPU.
private struct TaskMemory {
  var root: PhysicalAddress?
  var asid: Int?
  /// Where it is from.
  var source: String
  var isReserved = false
}

/// The contents of a CPU's base registers, by what it was doing.
///
/// |                         | TTBR1                         | TTBR0                              |
/// | ----------------------- | ----------------------------- | ---------------------------------- |
/// | in the kernel           | swapper_pg_dir, ASID          | the mm's pgd                       |
/// | with SW_TTBR0_PAN       | swapper_pg_dir                | reserved_pg_dir, or as saved       |
/// | at EL0                  | swapper_pg_dir, ASID          | the mm's pgd                       |
/// | at EL0 with KPTI        | tramp_pg_dir, ASID + 1        | the mm's pgd                       |
/// | in the trampoline       | tramp_pg_dir, ASID + 1, but for a few instructions at its end or its beginning |
///
/// ASIDs come in pairs with KPTI: the even one is the kernel's, the odd one the process's.
/// (arch/arm64/kernel/entry.S, `tramp_unmap_kernel`; asm/uaccess.h, `__uaccess_ttbr0_disable`; mm/context.c)
private struct TTBRReader {
  private let context: KernelContext
  private let isWide: Bool
  /// 64 KiB, 52-bit tables on hardware of 48 bits: the register points to the part that the CPU uses
  /// (TTBR1_BADDR_4852_OFFSET, asm/pgtable-hwdef.h).
  private let shift: UInt64
  private let cnp: UInt64
  private let hasKPTI: Bool
  private let trampoline: RootTable?
  private let reserved: RootTable?
  /// The kernel's own notes date from the moment each CPU was told to stop, after which it ran on in the kernel.
  private let notesAreCurrent: Bool

  init(_ context: KernelContext, _ control: LinuxTCR, _ rootTables: [RootTable]) {
    self.context = context
    let regime = context.regime
    func rootTable(_ name: String) -> RootTable? { rootTables.first { $0.name == name } }
    isWide = TTBR.isWide(regime)
    shift = regime.granule == .sixtyFourKiB && regime.tableBits == 52 && regime.addressBits == 48 ? 0x1e00 : 0
    cnp = control.usesCnP == true ? 1 : 0
    hasKPTI = control.usesKPTI?.value ?? false
    trampoline = hasKPTI ? rootTable("tramp_pg_dir") : nil
    reserved = rootTable("reserved_pg_dir") ?? rootTable("reserved_ttbr0")
    notesAreCurrent = context.vmcoreinfo?.crashTime == nil
  }

  func state(
    _ cpu: Int, _ registers: CPURegisters?, task: KernelTask?, memory: TaskMemory?, saved: UInt64?
  ) -> CPUState {
    let isAtEL0 = notesAreCurrent ? registers.map { $0.pstate & 0xf == 0 } : nil
    let saved = saved == 0 ? nil : saved
    let hasPAN = saved != nil && isAtEL0 != true
    return CPUState(
      cpu: cpu, registers: registers, task: task,
      ttbr0: ttbr0(task, memory, saved: saved, isAtEL0: isAtEL0 ?? false),
      ttbr1: ttbr1(
        hasPAN ? TaskMemory(root: nil, asid: nil, source: "") : memory, isAtEL0: isAtEL0 ?? false,
        isInTrampoline: notesAreCurrent && isInTrampoline(registers)),
      userTables: saved.map { TTBR.root($0, isWide: isWide) } ?? memory?.root, isAtEL0: isAtEL0)
  }

  private func ttbr0(_ task: KernelTask?, _ memory: TaskMemory?, saved: UInt64?, isAtEL0: Bool) -> Sourced<UInt64>? {
    if let saved {
      let place = "thread_info.ttbr0 of \(task?.comm ?? "the task")"
      if isAtEL0 { return Sourced(saved | cnp, "read: \(place)") }
      guard let reserved else { return nil }
      return Sourced(
        TTBR.value(reserved.physical, isWide: isWide),
        "computed: \(reserved.name), which SW_TTBR0_PAN puts there while the kernel runs; \(place) is \(hex(saved))")
    }
    guard let memory, let root = memory.root else { return nil }
    return Sourced(
      TTBR.value(root, isWide: isWide) | (memory.isReserved ? 0 : cnp),
      memory.isReserved ? "computed: \(memory.source)" : "computed: the pgd of \(memory.source)")
  }

  /// Whether the CPU was entering or leaving the kernel: at EL1, in the fixmap, where nothing else is executable.
  /// (FIX_ENTRY_TRAMP_TEXT1, arch/arm64/include/asm/fixmap.h)
  private func isInTrampoline(_ registers: CPURegisters?) -> Bool {
    guard hasKPTI, let registers, registers.pstate & 0xf != 0 else { return false }
    let pc = VirtualAddress(registers.pc)
    guard let leaf = context.translate(pc).leaf, leaf.attributes.isExecutableEL1 else { return false }
    return !context.image.contains(pc.rawValue, mappedTo: leaf.physical)
      && context.layout.layout?.region(of: pc.rawValue) == .fixmap
  }

  private func ttbr1(_ memory: TaskMemory?, isAtEL0: Bool, isInTrampoline: Bool) -> Sourced<UInt64?> {
    let isUser = isAtEL0 && hasKPTI || isInTrampoline
    if isUser, trampoline == nil {
      return Sourced(nil, "unknown: at EL0 with KPTI it holds tramp_pg_dir, which was not found")
    }
    let root = (isUser ? trampoline?.physical : nil) ?? context.regime.root
    let asid = memory?.asid.map { $0 | (isUser ? 1 : 0) }
    let place = isInTrampoline ? "in the trampoline, at one end of which it is swapper_pg_dir" : "at EL0 with KPTI"
    var words = "computed: \(isUser ? "tramp_pg_dir, since it is \(place)" : "swapper_pg_dir")"
    if shift > 0 { words += ", plus 0x1e00" }
    if asid != nil, let memory { words += ", the ASID of \(memory.source)" }
    return Sourced(TTBR.value(root &+ shift, isWide: isWide, asid: asid ?? 0) | cnp, .reason(words))
  }
}
