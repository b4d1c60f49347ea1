import Bytes
import DebugInfo
import VMSA

/// The processor's report of the fault that killed the kernel, checked against the dump.
///
/// The registers and the program counter come from the stack, and the syndrome from the log, against which the others
/// are checked.
package struct KernelFault: Sendable {
  /// What killed it.
  package let kind: FaultKind
  /// ESR_EL1; nil if the log does not have it.
  package let syndrome: ExceptionSyndrome?
  /// The address that could not be accessed.
  package let far: UInt64?
  /// Whether the access was a write; nil if unknown.
  package let isWrite: Bool?
  /// The program counter; nil if neither the stack nor the log has it.
  package let pc: UInt64?
  /// The function that `pc` is in.
  package let function: Symbol?
  /// `pc` as the log prints it, if the symbol is unknown here.
  package let pcText: String?
  /// The known ones of x0 to x30, sp, pc and pstate, in this order.
  package let registers: [(name: String, value: UInt64)]
  /// What registers point to, as text, by register name.
  package let pointers: [(name: String, text: String)]
  /// The walk of `far` that the log printed, by the kernel's names for the levels.
  package let loggedWalk: [(name: String, entry: UInt64)]
  /// The walk of `far` now; empty if it could not be walked.
  package let walk: [WalkStep]
  /// Whether the two agree; nil if one of them is missing.
  package let agrees: Bool?
  /// The source file of the BUG() or WARN(), or of the faulting instruction.
  package let file: String?
  /// The line in it.
  package let line: Int?
  /// The instructions around `pc`, the one at `pc` in parentheses, as the kernel prints them.
  package let code: [String]?
  /// What `far` points into; nil if unknown.
  package let object: String?
  /// Contradictions of the log or the stack, one sentence each.
  package let notes: [Diagnostic]
}

extension KernelFault {
  /// Decodes console output, without a dump.
  ///
  /// - Parameters:
  ///   - esr: ESR_EL1.
  ///   - far: FAR_EL1.
  ///   - line: the walk that an oops printed, such as `[addr] pgd=..., pud=...`; empty without one.
  ///   - pageSize: the kernel's page size, below which an address counts as a NULL pointer.
  /// - Returns: nil if `line` has no entry and there is no `esr`.
  package init?(esr: UInt64?, far: UInt64?, line: String, pageSize: UInt64) {
    let syndrome = esr.map { ExceptionSyndrome($0) }
    let walk = OopsText.walk(line[...])
    guard esr != nil || !walk.isEmpty else { return nil }
    let printed = line.firstIndex(of: "[").flatMap { OopsText.hex(line[line.index(after: $0)...]) }
    let address = far ?? printed
    self.syndrome = syndrome
    self.far = address
    isWrite = syndrome?.isWrite
    kind =
      syndrome.map { FaultKind($0, far: address, pageSize: pageSize) }
      ?? (address.map { $0 < pageSize } ?? false ? .nullPointer : .pagingRequest)
    pc = nil
    function = nil
    pcText = nil
    registers = []
    pointers = []
    loggedWalk = walk
    self.walk = []
    agrees = nil
    file = nil
    self.line = nil
    code = nil
    object = nil
    notes = []
  }
}

/// Combines the evidence of a crash.
struct KernelFaultReader {
  let context: KernelContext
  let names: KernelNames
  let identifier: AddressIdentifier
  let userTables: UserTables
  let modules: LoadedModules
  let stacks: Lazy<TaskStackReader>
  let sourceLines: SourceLines?

  /// The fault of a kernel that died for `reason` in the task of `stack`; nil if both are nil.
  func fault(_ reason: CrashReason?, _ stack: TaskStack?) -> KernelFault? {
    guard reason != nil || stack?.trace.exceptions.contains(where: { !$0.isUser }) ?? false else { return nil }
    let text = reason?.oops
    let saved = exception(in: stack, text)
    let syndrome = (text?.esr).map { ExceptionSyndrome($0) }
    let far = text?.far.flatMap { syndrome?.hasAddress ?? true ? $0 : nil }
    let pc = saved?.pc ?? text?.pc.flatMap(address)
    let function = pc.flatMap { names.symbol(containing: $0) }
    let place = pc.flatMap { pc in
      [.bug, .warning].contains(kind(reason, syndrome, far)) || syndrome?.breakImmediate == 0x800
        ? BugTable(context, modules.list.value)?.place(of: pc) : nil
    }
    let source = pc.flatMap { sourceLines?.line(at: $0) }
    let registers = registers(saved, text, pc)
    let walk = far.map { steps(to: $0, text, stack) } ?? []
    var notes: [Diagnostic] = []
    if syndrome == nil, reason?.kind == .oops || reason == nil {
      notes.append(Diagnostic(.esrUnknown, "ESR is not known: the log does not have it"))
    }
    if let saved, let text {
      let differing = registers.map(\.name).filter { name in
        text.registers[name].map { $0 != value(name, saved) } ?? false
      }
      if !differing.isEmpty {
        let names = differing.joined(separator: ", ")
        notes.append(Diagnostic(.registersDiffer, names, "the log and the stack differ in \(names)"))
      }
    }
    return KernelFault(
      kind: kind(reason, syndrome, far), syndrome: syndrome, far: far,
      isWrite: syndrome?.isWrite ?? text?.report?.isWrite, pc: pc, function: function, pcText: text?.pc,
      registers: registers, pointers: pointers(registers), loggedWalk: text?.walk ?? [], walk: walk,
      agrees: agreement(text?.walk ?? [], walk), file: place?.file ?? text?.file ?? source?.file,
      line: place?.line ?? text?.line ?? source?.line,
      code: text?.code?.split(separator: " ").map(String.init) ?? pc.flatMap(code), object: object(reason, far),
      notes: notes)
  }

  // MARK: - Witnesses

  /// The registers of the fatal exception: the one whose program counter the log names, or else the innermost fatal
  /// one.
  private func exception(in stack: TaskStack?, _ text: OopsText?) -> SavedRegisters? {
    guard let stack else { return nil }
    let exceptions = stack.trace.exceptions.filter { !$0.isUser && $0.address != 0 }
    if let logged = text?.pc.flatMap(address), let same = exceptions.first(where: { $0.pc == logged }) { return same }
    if let sp = text?.registers["sp"], let same = exceptions.first(where: { $0.sp == sp }) { return same }
    guard text?.pc == nil && text?.registers.isEmpty ?? true else { return nil }
    // The kernel's own note of the dying CPU has the registers of the exception itself.
    guard let site = CrashSite(stack) else { return stack.trace.exceptions.first { !$0.isUser } }
    return site.registers
  }

  /// The address of `symbol+0xoff/0xsize [module]`.
  private func address(_ place: String) -> UInt64? {
    let words = place.split(separator: " ")
    guard let first = words.first, let plus = first.lastIndex(of: "+") else { return nil }
    let offset = first[first.index(after: plus)...].split(separator: "/").first.flatMap { OopsText.hex($0) }
    let name = String(first[..<plus])
    let module = words.dropFirst().first.map { String($0.dropFirst().prefix { $0 != "]" && $0 != " " }) }
    let symbol = module.map { names.modules.symbol(named: name, module: $0) } ?? names.symbol(named: name)
    guard let symbol, let offset else { return nil }
    return symbol.address &+ offset
  }

  private func value(_ name: String, _ saved: SavedRegisters) -> UInt64? {
    switch name {
    case "sp": saved.sp
    case "pc": saved.pc
    case "pstate": saved.pstate
    default: Int(name.dropFirst()).flatMap { saved.general.indices.contains($0) ? saved.general[$0] : nil }
    }
  }

  private func registers(
    _ saved: SavedRegisters?, _ text: OopsText?, _ pc: UInt64?
  ) -> [(name: String, value: UInt64)] {
    ((0...30).map { "x\($0)" } + ["sp", "pc", "pstate"]).compactMap { name in
      let known = saved.flatMap { value(name, $0) } ?? text?.registers[name] ?? (name == "pc" ? pc : nil)
      return known.map { (name, $0) }
    }
  }

  // MARK: - Kind

  private func kind(_ reason: CrashReason?, _ syndrome: ExceptionSyndrome?, _ far: UInt64?) -> FaultKind {
    let headline = (reason?.oops.headline ?? reason?.text) ?? ""
    let panic = reason?.panic ?? ""
    if headline.contains("Insufficient stack space") || panic.contains("kernel stack overflow") {
      return .stackOverflow
    }
    if reason?.kind == .sysrq || panic.contains("sysrq triggered crash") { return .requested }
    if headline.contains("BUG: KASAN") { return .kasan }
    if headline.contains("BUG: KFENCE") { return .kfence }
    switch reason?.kind {
    case .lockup?: return FaultKind(lockup: headline)
    case .warning?: return .warning
    case .bug? where headline.contains("kernel BUG at"): return .bug
    default: break
    }
    if let syndrome { return FaultKind(syndrome, far: far, pageSize: context.regime.granule.size) }
    if headline.contains("NULL pointer dereference") { return .nullPointer }
    if headline.contains("paging request") { return .pagingRequest }
    if headline.contains("Undefined instruction") { return .undefinedInstruction }
    if headline.contains("SError") || panic.contains("SError") { return .serror }
    if headline.contains("UBSAN") { return .ubsan }
    if headline.contains("CFI") { return .cfi }
    return reason?.kind == .panic ? .panic : reason?.kind == .bug ? .bug : .other
  }

  // MARK: - The walk

  private func steps(to far: UInt64, _ text: OopsText?, _ stack: TaskStack?) -> [WalkStep] {
    let address = VirtualAddress(far).untagged
    if address.isUpperHalf { return context.walkSteps(to: address) }
    guard let root = text?.root ?? stack?.task.root?.rawValue else { return [] }
    return context.walkSteps(to: address, by: userTables.regime(root: PhysicalAddress(root)))
  }

  /// Whether the log's entries, with those of folded levels counted once, equal those of the walk.
  private func agreement(_ logged: [(name: String, entry: UInt64)], _ walk: [WalkStep]) -> Bool? {
    guard !logged.isEmpty, !walk.isEmpty else { return nil }
    var entries: [UInt64] = []
    for (_, entry) in logged where entries.last != entry || entry == 0 { entries.append(entry) }
    return entries == walk.map(\.descriptor.rawValue)
  }

  /// The words before `pc` and the one at it, as the kernel prints them.
  private func code(_ pc: UInt64) -> [String]? {
    let words = (0..<5).compactMap { context.memory.integer(UInt32.self, at: pc &- 16 &+ UInt64($0 * 4)) }
    guard words.count == 5 else { return nil }
    return words.enumerated().map { number, word in
      let text = String(word, radix: 16)
      let padded = String(repeating: "0", count: 8 - text.count) + text
      return number == 4 ? "(\(padded))" : padded
    }
  }

  // MARK: - Objects

  /// The object concerned: what a checker says of the address, the hung task and what it waits for, or what the address
  /// points into.
  private func object(_ reason: CrashReason?, _ far: UInt64?) -> String? {
    if let said = reason?.oops.report?.object { return said }
    if reason?.kind == .lockup, let pid = reason.flatMap({ Self.hungTask($0.text) }),
      let task = stacks.value.tasks.value.first(where: { $0.pid == pid })
    {
      guard let wait = stacks.value.stack(of: task, scan: false).wait else { return "\(task.comm), pid \(pid)" }
      let owner = wait.owner.map { " held by \($0.comm), pid \($0.pid)" } ?? ""
      return "\(task.comm), pid \(pid), which waits for the \(wait.kind.rawValue) at \(hex(wait.lock))\(owner)"
    }
    return far.flatMap(describe)
  }

  /// The PID in `INFO: task COMM:PID blocked for more than 120 seconds.`; nil for any other line.
  private static func hungTask(_ line: String) -> Int? {
    guard let end = line.firstRange(of: " blocked for more than"),
      let colon = line[..<end.lowerBound].lastIndex(of: ":")
    else { return nil }
    return Int(line[line.index(after: colon)..<end.lowerBound])
  }

  // MARK: - Pointers

  private func pointers(_ registers: [(name: String, value: UInt64)]) -> [(name: String, text: String)] {
    registers.compactMap { name, value in
      guard name != "pstate", let text = describe(value) else { return nil }
      return (name, text)
    }
  }

  /// What `value` points to; nil if it is not a pointer.
  private func describe(_ value: UInt64) -> String? {
    if let poison = Poison.name(value) { return poison }
    guard VirtualAddress(value).isUpperHalf else { return nil }
    let identity = identifier.identify(hex(value))
    guard identity.resolution.status == .mapped || identity.resolution.symbol != nil || identity.stack != nil else {
      return nil
    }
    var words = identity.kind
    if let place = identity.stack, let task = place.task {
      words +=
        place.stack.cpu.map { " of CPU \($0), which ran \(task.comm) (\(task.pid))" }
        ?? " of \(task.comm) (\(task.pid))"
      if case .frame(let frame) = place.part { words += ", in the frame of \(frame.symbol?.name ?? frame.text)" }
      return words
    }
    if let task = identity.task { words += " of \(task.task.comm) (\(task.task.pid)), \(hex(task.offset)) in it" }
    if let perCPU = identity.perCPU { words += " \(perCPU.name) of CPU \(perCPU.cpu)" }
    if let symbol = identity.resolution.symbol {
      words += ": \(symbol.name)+\(hex(identity.resolution.symbolOffset))"
      if let module = symbol.module { words += " [\(module)]" }
    } else if let module = identity.module {
      words += " of \(module.name)"
    }
    return words
  }
}
