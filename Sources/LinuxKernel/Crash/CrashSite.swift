/// Where a stack shows that the kernel died in its task, without the log.
struct CrashSite {
  /// The registers of the exception that led to death; nil if none did, as in a panic by request.
  let registers: SavedRegisters?
  /// Where that was, or what called for the end, and how it came there, the innermost first.
  let frames: [NamedFrame]

  /// Functions that a living kernel does not call. (kernel/panic.c; kernel/crash_core.c; arch/arm64/kernel/traps.c)
  private static let deadly: Set<String> = [
    "panic", "vpanic", "nmi_panic", "die", "oops_end", "crash_kexec", "__crash_kexec", "die_kernel_fault",
    "panic_bad_stack", "machine_crash_shutdown", "arm64_serror_panic",
  ]

  /// nil if nothing on `stack` says so.
  init?(_ stack: TaskStack) {
    let frames = stack.chain
    func isDeadly(_ named: NamedFrame) -> Bool { Self.deadly.contains(named.symbol?.name ?? "") }
    guard let death = frames.firstIndex(where: isDeadly) else { return nil }
    // Callers follow: the next exception is what the kernel could not handle, unless it is an interrupt.
    let next = frames[death...].firstIndex { $0.frame.kind == .interrupted } ?? frames.endIndex
    let isInterrupt = frames[death..<next].contains { named in
      ["_irq", "_fiq", "_interrupt"].contains { named.symbol?.name.contains($0) ?? false }
    }
    let saved = stack.trace.exceptions.first { saved in
      next < frames.endIndex && !saved.isUser && saved.pc == frames[next].frame.pc && saved.sp == frames[next].frame.sp
    }
    guard let saved, !isInterrupt else {
      registers = nil
      self.frames = Array(frames[((frames[..<next].lastIndex(where: isDeadly) ?? death) + 1)...])
      return
    }
    registers = saved
    self.frames = Array(frames[next...])
  }
}
