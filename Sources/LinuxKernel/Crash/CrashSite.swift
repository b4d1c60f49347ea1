/// Where the kernel died, from a task's stack alone, without the log.
struct CrashSite {
  /// The registers of the fatal exception; nil if there was none, as in a requested panic.
  let registers: SavedRegisters?
  /// The frames from that exception, or from the caller of panic(), outwards.
  let frames: [NamedFrame]

  /// Functions that only a dying kernel calls. (kernel/panic.c; kernel/crash_core.c; arch/arm64/kernel/traps.c)
  private static let deadly: Set<String> = [
    "panic", "vpanic", "nmi_panic", "die", "oops_end", "crash_kexec", "__crash_kexec", "die_kernel_fault",
    "panic_bad_stack", "machine_crash_shutdown", "arm64_serror_panic",
  ]

  /// nil if nothing on `stack` shows a crash.
  init?(_ stack: TaskStack) {
    let frames = stack.chain
    func isDeadly(_ named: NamedFrame) -> Bool { Self.deadly.contains(named.symbol?.name ?? "") }
    guard let death = frames.firstIndex(where: isDeadly) else { return nil }
    // The frames that follow are callers: the next exception is the one that the kernel could not handle, unless it is
    // an interrupt.
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
