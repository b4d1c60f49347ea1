/// The place of an address on a kernel stack, or in the guard area below one.
package struct StackPlace: Sendable {
  /// What is at the address.
  package enum Part: Sendable {
    /// The frame of a function: from its frame record up to that of its caller.
    case frame(NamedFrame)
    /// Registers that exception entry saved (`struct pt_regs`).
    case registers(SavedRegisters)
    /// Below every frame: left over from calls that have returned, or never used.
    case unused
    /// Above what could be unwound.
    case unknown
    /// The unmapped space below the stack, which an overflow runs into.
    case guardArea

    /// Its name in JSON.
    package var name: String {
      switch self {
      case .frame: "frame"
      case .registers: "registers"
      case .unused: "unused"
      case .unknown: "unknown"
      case .guardArea: "guard"
      }
    }
  }

  /// The stack.
  package let stack: KernelStack
  /// The task that it belongs to: its own, or the one that its CPU ran; nil if unknown.
  package let task: KernelTask?
  /// What is at the address.
  package let part: Part
  /// The unmapped space below the stack, up to its size; nil if something is mapped there.
  package let guardArea: Range<UInt64>?
}

extension TaskStackReader {
  /// The place of `address`; nil if it is neither on a stack nor just below one.
  func place(of address: UInt64) -> StackPlace? {
    func isAt(_ start: UInt64, _ size: UInt64) -> Bool {
      address &- start < size || start &- address <= size && !isMapped(address)
    }
    let size = threadSize
    if let task = tasks.value.first(where: { $0.stack != 0 && isAt($0.stack, size) }) {
      return place(of: address, on: ownStack(of: task), task)
    }
    for (cpu, others) in stacks.value.all.enumerated() {
      guard let stack = others.first(where: { isAt($0.start, $0.end - $0.start) }) else { continue }
      return place(of: address, on: stack, cpus.value.first { $0.cpu == cpu }?.task)
    }
    return shadowPlace(of: address)
  }

  /// The entry of a shadow call stack at `address`.
  private func shadowPlace(of address: UInt64) -> StackPlace? {
    guard let (stack, owner) = shadows.value?.stack(at: address) else { return nil }
    let task = owner ?? stack.cpu.flatMap { cpu in cpus.value.first { $0.cpu == cpu }?.task }
    let entries = task.flatMap { self.stack(of: $0, scan: false).shadow?.entries } ?? []
    var part = StackPlace.Part.unused
    // Words above the last entry belong to calls that have returned.
    let index = entries.count - 1 - Int((address - stack.start) / 8)
    if let word = context.memory.word(at: address & ~7),
      owner == nil ? entries.contains(word) : entries.indices.contains(index) && entries[index] == word
    {
      part = .frame(named(StackFrame(pc: word, kind: .call, sp: nil, stack: .shadow)))
    }
    return StackPlace(stack: stack, task: task, part: part, guardArea: nil)
  }

  private func place(of address: UInt64, on stack: KernelStack, _ task: KernelTask?) -> StackPlace? {
    let below = guardArea(below: stack)
    if !stack.contains(address) {
      guard let below, below.contains(address) else { return nil }
      return StackPlace(stack: stack, task: task, part: .guardArea, guardArea: below)
    }
    let part: StackPlace.Part =
      task.map { self.part(of: address, on: stack, self.stack(of: $0, scan: false)) } ?? .unknown
    return StackPlace(stack: stack, task: task, part: part, guardArea: below)
  }

  private func part(of address: UInt64, on stack: KernelStack, _ trace: TaskStack) -> StackPlace.Part {
    let saved = trace.trace.exceptions + [trace.trace.user].compactMap(\.self)
    if let registers = saved.first(where: { $0.address != 0 && address &- $0.address < frame.size }) {
      return .registers(registers)
    }
    let here = trace.chain.compactMap { named in start(of: named, on: stack).map { (start: $0, named: named) } }
      .sorted { $0.start < $1.start }
    guard let found = here.last(where: { $0.start <= address }) else {
      // A CPU's own stack without frames is unused, if the CPU's backtrace is complete.
      return here.isEmpty && trace.trace.end == .broken ? .unknown : .unused
    }
    // The extent of the last frame before a break is unknown.
    return found.start == here.last?.start && trace.trace.end == .broken ? .unknown : .frame(found.named)
  }

  /// The start of the frame of `named` on `stack`; nil if it is on another. Its record may lie above outgoing
  /// arguments: the function's `add x29, sp, #N` says how far. For a task that is not running, and for interrupted
  /// code, sp is known.
  private func start(of named: NamedFrame, on stack: KernelStack) -> UInt64? {
    guard let record = named.frame.sp, stack.contains(record) else { return nil }
    guard named.frame.kind == .call || named.frame.kind == .trampoline, let symbol = named.symbol else { return record }
    let length = min(named.offset, Self.longestPrologue)
    for address in stride(from: symbol.address, to: symbol.address &+ length, by: 4) {
      guard let word = instruction(at: address) else { break }
      guard let distance = A64Prologue.recordOffset(word) else { continue }
      let start = record &- distance
      return stack.contains(start) ? start : record
    }
    return record
  }

  /// The most bytes from a function's entry to the instruction that stores its frame record.
  private static let longestPrologue: UInt64 = 128

  /// The unmapped pages below `stack`. There are at most as many as the stack has: stacks are aligned to twice their
  /// size, so that one bit of sp shows an overflow. The guard page at the end of another area may be among them.
  /// (THREAD_ALIGN, arch/arm64/include/asm/memory.h; `kernel_ventry`, arch/arm64/kernel/entry.S)
  private func guardArea(below stack: KernelStack) -> Range<UInt64>? {
    guard stack.start & 4095 == 0 else { return nil }
    let size = stack.end &- stack.start
    var start = stack.start
    while stack.start &- start < size, !isMapped(start &- 4096) { start &-= 4096 }
    return start < stack.start ? start..<stack.start : nil
  }
}
