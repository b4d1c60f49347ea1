import Bytes
import DebugInfo
import VMSA

/// Unwinds by frame records.
///
///     x29 -> | x29 of the caller | x30: the return address |
///
/// A chain lies on one stack at rising addresses, or continues on another stack not visited before: from the interrupt
/// stack to the task's, from the overflow stack to either. It ends at the record made by the kernel's entry code, and
/// is broken anywhere else: nothing beyond is guessed. (arch/arm64/kernel/stacktrace.c; `frame_record_meta`,
/// asm/stacktrace/frame.h, 6.13; AAPCS64, 6.4.6)
struct Unwinder {
  let memory: KernelMemory
  let layout: ExceptionFrame
  /// The width of kernel addresses; pointer authentication codes are above it.
  let addressBits: Int
  /// The task's own stack.
  let task: KernelStack
  /// The stacks of the CPU that the task runs on, or may have run on.
  let others: [KernelStack]
  /// The original return addresses of trampolines; nil if the kernel has none.
  let hooks: ReturnHooks?
  /// The `struct task_struct`, which keeps those; nil if unknown.
  let structure: UInt64?
  /// The function that an address is in; nil if no symbol names it.
  let function: (UInt64) -> Symbol?

  /// A kernel stack of 64 KiB has room for 4,096 records; a sound one has some thirty.
  private static let mostFrames = 512

  /// Unwinds a task that is not running, from the registers that `__switch_to` saved.
  func unwind(pc: UInt64, fp: UInt64, sp: UInt64) -> Backtrace {
    var trace = Backtrace()
    guard isText(pc) else {
      trace.message = Diagnostic(
        .pcNotExecutable, hex(pc), "the saved program counter, \(hex(pc)), is not in executable memory")
      return trace
    }
    // A task that has not run yet will start at ret_from_fork.
    let isEntry = function(pc)?.address == pc
    trace.frames.append(
      StackFrame(pc: pc, kind: isEntry ? .interrupted : .call, sp: sp, stack: stack(at: sp)?.kind))
    follow(fp, &trace)
    return trace
  }

  /// Unwinds from the registers of a CPU that was in the kernel.
  func unwind(_ registers: SavedRegisters) -> Backtrace {
    var trace = Backtrace()
    guard !isUserMode(registers) else {
      trace.user = registers
      trace.end = .user
      return trace
    }
    interrupted(registers, &trace)
    follow(caller(of: registers), &trace)
    return trace
  }

  // MARK: - The chain

  private func follow(_ start: UInt64, _ trace: inout Backtrace) {
    var here = start
    var current: KernelStack?
    var left: [KernelStack] = []
    func broken(_ code: Diagnostic.Code, _ why: String) {
      trace.end = .broken
      trace.message = Diagnostic(code, hex(here), why)
    }
    var last: UInt64?
    var met = 0
    while trace.frames.count < Self.mostFrames {
      guard here & 7 == 0 else { return broken(.frameMisaligned, "the frame pointer \(hex(here)) is not aligned") }
      if let stack = current, stack.holdsRecord(at: here) {
        // Callers are higher on the stack.
        if let last, here <= last {
          return broken(.frameNotRising, "the frame pointer \(hex(here)) does not rise above \(hex(last))")
        }
      } else {
        guard let next = stack(at: here), next.holdsRecord(at: here) else {
          return broken(.frameOffStack, "the frame pointer \(hex(here)) is on no stack of this task or its CPU")
        }
        guard !left.contains(next) else {
          return broken(.frameOffStack, "the frame pointer \(hex(here)) goes back to the \(next.kind.rawValue) stack")
        }
        if let current { left.append(current) }
        current = next
      }
      guard let next = memory.word(at: here), let raw = memory.word(at: here &+ 8) else {
        return broken(.frameUnreadable, "the frame record at \(hex(here)) is not in the dump")
      }
      trace.records.append(here)
      last = here
      if next == 0 {
        guard raw == 0 else {
          // A kernel thread up to 5.13 returns to ret_from_fork.
          let pc = stripped(raw)
          if isText(pc), mayReturn(to: pc) {
            trace.frames.append(StackFrame(pc: pc, kind: .call, sp: nil, stack: current?.kind))
          }
          guard !layout.hasFinalRecord else {
            return broken(
              .chainEndsEarly, "the chain ends at \(hex(here)), not at the registers at the top of the stack")
          }
          trace.end = .final
          return
        }
        if let current, current.isDelegated, here == current.end &- 16 {
          // The firmware event interrupted user space, or another exception level.
          trace.end = .final
          return
        }
        guard let registers = marked(here, &trace) else { return }
        here = caller(of: registers)
        continue
      }
      let pc = stripped(raw)
      guard isText(pc) else {
        return broken(
          .returnNotExecutable, "the frame record at \(hex(here)) returns to \(hex(pc)), which is not executable")
      }
      let saved = exception(recordAt: here, next: next, pc: pc)
      let isExact = current.map { $0.isDelegated && here == $0.end &- 16 } ?? false
      guard saved != nil || isExact || mayReturn(to: pc) else {
        return broken(
          .returnNotExecutable, "the frame record at \(hex(here)) returns to \(hex(pc)), where no call is")
      }
      if let registers = saved {
        interrupted(registers, &trace)
        here = caller(of: registers)
      } else {
        trace.frames.append(frame(pc, next, isExact: isExact, &met))
        here = next
      }
    }
    broken(.tooManyFrames, "the chain has more than \(Self.mostFrames) frames")
  }

  /// The frame of the function that `pc` returns to, whose own record is at `record`.
  ///
  /// - Parameters:
  ///   - isExact: `pc` is where a firmware event interrupted the code: the handler's record has ELR.
  ///     (`__sdei_asm_handler`, arch/arm64/kernel/entry.S)
  ///   - met: counts ftrace trampolines.
  private func frame(_ pc: UInt64, _ record: UInt64, isExact: Bool, _ met: inout Int) -> StackFrame {
    let place = stack(at: record)?.kind
    if isExact { return StackFrame(pc: pc, kind: .interrupted, sp: record, stack: place) }
    if let hooks, let structure, hooks.isTrampoline(pc) {
      let real = hooks.address(behind: pc, fp: record, of: structure, met: met)
      if hooks.isGraph(pc) { met += 1 }
      if let real, isText(real) { return StackFrame(pc: real, kind: .trampoline, sp: record, stack: place) }
    }
    return StackFrame(pc: pc, kind: .call, sp: record, stack: place)
  }

  /// The record of the caller of interrupted code. Firmware has no records: the wrapper that called it left the address
  /// of its own record at the top of the firmware's stack. (`__efi_rt_asm_wrapper`, arch/arm64/kernel/efi-rt-wrapper.S)
  private func caller(of registers: SavedRegisters) -> UInt64 {
    guard let firmware = stack(at: registers.sp), firmware.kind == .efi,
      let record = memory.word(at: firmware.end &- 8), record != 0
    else { return registers.general[29] }
    return record
  }

  /// Interprets a record of two zeros: the registers of an exception to continue from, or nil if the chain ends.
  private func marked(_ record: UInt64, _ trace: inout Backtrace) -> SavedRegisters? {
    let bottom = task.end &- layout.size &+ layout.record
    let isBottom = record == bottom
    if layout.hasMarkedRecords {
      let type = memory.word(at: record &+ 16)
      if type == ExceptionFrame.registers,
        let registers = layout.read(at: record &- layout.record, in: memory)
      {
        interrupted(registers, &trace)
        return registers
      }
      guard type == ExceptionFrame.final, isBottom else {
        trace.end = .broken
        trace.message = Diagnostic(
          .frameTypeUnknown, hex(record),
          "the record at \(hex(record)) has type \(type.map(hex) ?? "unknown"), not that of an exception or the end")
        return nil
      }
    } else if !isBottom, !layout.hasFinalRecord {
      trace.end = .final
      return nil
    } else if !isBottom {
      trace.end = .broken
      trace.message = Diagnostic(
        .chainEndsEarly, hex(record),
        "the chain ends at \(hex(record)), not at the registers at the top of the stack")
      return nil
    }
    // init_task was never in user space, and its registers are zeros; those of other kernel threads show EL1.
    if let registers = layout.read(at: record &- layout.record, in: memory), isUserMode(registers),
      registers.pc | registers.sp | registers.pstate != 0
    {
      trace.user = registers
      trace.end = .user
    } else {
      trace.end = .final
    }
    return nil
  }

  /// The registers of an exception up to 6.12, whose entry code stores x29 and ELR in `pt_regs.stackframe`: they are
  /// recognised because they agree with the record, and sp was at their end. Those of a stack overflow are at the top
  /// of the overflow stack. (`kernel_entry`, `__bad_stack`, arch/arm64/kernel/entry.S)
  private func exception(recordAt record: UInt64, next: UInt64, pc: UInt64) -> SavedRegisters? {
    let start = record &- layout.record
    guard !layout.hasMarkedRecords, memory.word(at: start &+ 29 &* 8) == next,
      let registers = layout.read(at: start, in: memory), stripped(registers.pc) == pc
    else { return nil }
    let end = registers.address &+ layout.size
    return registers.sp == end || others.contains { $0.kind == .overflow && $0.end == end } ? registers : nil
  }

  /// Adds the address where an exception interrupted the code, and x30 at that point, if it adds anything.
  private func interrupted(_ registers: SavedRegisters, _ trace: inout Backtrace) {
    trace.exceptions.append(registers)
    let place = stack(at: registers.sp)?.kind
    trace.frames.append(StackFrame(pc: registers.pc, kind: .interrupted, sp: registers.sp, stack: place))
    let link = stripped(registers.general[30])
    guard isText(link) else { return }
    // x30 is redundant if the next record has it. After a call it points into the function itself.
    if let raw = memory.word(at: registers.general[29] &+ 8), stripped(raw) == link { return }
    if let own = function(registers.pc), own.address == function(link &- 1)?.address { return }
    trace.frames.append(StackFrame(pc: link, kind: .link, sp: nil, stack: place))
  }

  // MARK: - Addresses

  private func isUserMode(_ registers: SavedRegisters) -> Bool { registers.isUser }

  /// The stack that `address` is on.
  private func stack(at address: UInt64) -> KernelStack? {
    if task.contains(address) { return task }
    return others.first { $0.contains(address) }
  }

  /// Whether `address` may be code: in executable memory, or in freed init code, to which idle tasks return.
  private func isText(_ address: UInt64) -> Bool {
    guard address & 3 == 0, VirtualAddress(address).isUpperHalf else { return false }
    if memory.leaf(at: address)?.attributes.isExecutableEL1 ?? false { return true }
    guard memory.image.contains(address), let symbol = function(address &- 1), symbol.module == nil else {
      return false
    }
    // Weak functions have a letter of their own.
    return symbol.type.map { "tw".utf8.contains($0 | 0x20) } ?? false
  }

  /// Whether a call may return to `pc`: one may be before it, it is a trampoline, or that code is not in the dump.
  private func mayReturn(to pc: UInt64) -> Bool {
    if hooks?.isTrampoline(pc) ?? false { return true }
    return memory.integer(UInt32.self, at: pc &- 4).map(A64Call.mayBeCall) ?? true
  }

  /// `address` without its pointer authentication code or tag: the bits above the width take the value of bit 55.
  func stripped(_ address: UInt64) -> UInt64 {
    address >> 55 & 1 == 1 ? address | ~0 << UInt64(addressBits) : address & ~(~0 << UInt64(addressBits))
  }
}
