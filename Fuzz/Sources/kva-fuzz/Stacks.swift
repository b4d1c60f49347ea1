import KernelVA

/// The input is memory with a task, its stack and what its CPU has beside it, and the BTF that describes them. All of
/// it may be executed.
///
///     0 BTF | 1000 the stack | 2000 init_task | 2600 __per_cpu_offset | 3000 code, with trampolines | 5000 its end
@Sendable func fuzzStacks(_ bytes: [UInt8]) {
  let lines = [
    SmallKernel.symbol("__start_BTF", 0), SmallKernel.symbol("__stop_BTF", 0x1000),
    SmallKernel.symbol("init_task", 0x2000), SmallKernel.symbol("__per_cpu_offset", 0x2600),
    SmallKernel.symbol("__entry_task", 0x2630), SmallKernel.symbol("irq_stack_ptr", 0x2640),
    SmallKernel.symbol("overflow_stack", 0x2700), SmallKernel.symbol("runqueues", 0x2800),
    SmallKernel.symbol("return_to_handler", 0x3100), SmallKernel.symbol("__kretprobe_trampoline", 0x3200),
    SmallKernel.symbol("__mutex_lock", 0x301c), SmallKernel.symbol("panic", 0x3030),
  ]
  guard let kernel = SmallKernel.kernel(bytes, lines, isExecutable: true) else {
    preconditionFailure("the tables are sound")
  }
  for task in kernel.allTasks.prefix(16) {
    let stack = kernel.stack(of: task, scan: true)
    precondition(stack.frames.count <= 1 << 16, "no frame is counted twice")
    _ = (stack.hash, stack.chain, stack.frames.map(\.text))
  }
  for offset in stride(from: UInt64(0x1000), to: UInt64(min(max(bytes.count, 0x1000), 1 << 16)), by: 520) {
    _ = kernel.identify(hexText(SmallKernel.input + offset))
  }
  _ = (kernel.fault, kernel.foremostTasks)
}
