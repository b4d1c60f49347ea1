/// Where a stack shows that the kernel died in its task, without the log.
struct CrashSite {
  /// The registers of the exception that led to death; nil if none did, as in a panic by request.
  let registers: SavedRegisters?

  /// Functions that a living kernel does not call. (kernel/panic.c; kernel/crash_core.c; arch/arm64/kernel/traps.c)
  private static let deadly: Set<String> = [
    "panic", "vpanic", "nmi_panic", "die", "oops_end", "crash_kexec", "__crash_kexec", "die_kernel_fault",
    "panic_bad_stack", "machine_crash_shutdown", "arm64_serror_panic",
  ]

  /// nil if nothing on `stack` says so.
  init?(_ stack: TaskStack) {
    let frames = stack.frames
    guard let death = frames.firstIndex(where: { Self.deadly.contains($0.symbol?.name ?? "") }) else { return nil }
    // Callers follow: the next exception is what the kernel could not handle, unless an interrupt lies between.
    let exceptions = stack.trace.exceptions.filter { !$0.isUser }
    let interruptions = frames.indices.filter { frames[$0].frame.kind == .interrupted }
    var found: SavedRegisters?
    for (place, saved) in zip(interruptions, exceptions) where place > death && found == nil {
      let handlers = frames[death..<place].compactMap(\.symbol?.name)
      let isInterrupt = handlers.contains { $0.contains("_irq") || $0.contains("_fiq") || $0.contains("_interrupt") }
      guard !isInterrupt else { break }
      found = saved
    }
    registers = found
  }
}
