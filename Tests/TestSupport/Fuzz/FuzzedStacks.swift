/// The memory that the target `stacks` reads: see Fuzz/Sources/kva-fuzz/Stacks.swift.
enum FuzzedStacks {
  private static let start = FuzzedLists.start
  private static let task = start + 0x2000
  /// All but the types is in unused parts of it.
  private static let stack = start + 0x1000
  /// Calls alone, so that any word of it but the first may be returned to.
  private static let code = start + 0x3000

  /// The types that stacks need, laid out as this file writes them.
  ///
  /// - Parameter isMarked: with `struct frame_record_meta` (6.13).
  private static func btf(isMarked: Bool) -> [UInt8] {
    var writer = BTFWriter()
    let int = writer.integer("int", size: 4)
    let long = writer.integer("long unsigned int", size: 8)
    let letter = writer.integer("char", size: 1)
    let pointer = writer.reference(kind: 2, to: 0)
    let list = writer.structure(
      "list_head", size: 16, [.init("next", pointer, bit: 0), .init("prev", pointer, bit: 64)])
    let first = writer.structure("llist_head", size: 8, [.init("first", pointer, bit: 0)])
    let context = writer.structure(
      "cpu_context", size: 24, [.init("fp", long, bit: 0), .init("sp", long, bit: 64), .init("pc", long, bit: 128)])
    let thread = writer.structure("thread_struct", size: 24, [.init("cpu_context", context, bit: 0)])
    let info = writer.structure(
      "thread_info", size: 24,
      [.init("cpu", int, bit: 0), .init("scs_base", pointer, bit: 64), .init("scs_sp", pointer, bit: 128)])
    let entity = writer.structure("sched_entity", size: 8, [.init("exec_start", long, bit: 0)])
    let comm = writer.array(of: letter, index: long, count: 16)
    _ = writer.structure(
      "task_struct", size: 208,
      [
        .init("__state", int, bit: 0), .init("stack", pointer, bit: 64), .init("pid", int, bit: 128),
        .init("tgid", int, bit: 160), .init("tasks", list, bit: 192), .init("comm", comm, bit: 320),
        .init("mm", pointer, bit: 448), .init("thread_info", info, bit: 512), .init("thread", thread, bit: 704),
        .init("ret_stack", pointer, bit: 896), .init("curr_ret_stack", int, bit: 960),
        .init("kretprobe_instances", first, bit: 1024), .init("blocked_on", pointer, bit: 1088),
        .init("blocker", long, bit: 1152), .init("se", entity, bit: 1216),
      ])
    let regs = writer.array(of: long, index: long, count: 37)
    let frame = writer.array(of: long, index: long, count: isMarked ? 3 : 2)
    _ = writer.structure(
      "pt_regs", size: isMarked ? 320 : 336,
      [.init("regs", regs, bit: 0), .init("stackframe", frame, bit: isMarked ? 296 * 8 : 304 * 8)])
    if isMarked { _ = writer.structure("frame_record_meta", size: 24, [.init("type", long, bit: 128)]) }
    _ = writer.structure(
      "ftrace_ret_stack", size: 24,
      [.init("ret", long, bit: 0), .init("func", long, bit: 64), .init("retp", pointer, bit: 128)])
    if isMarked { _ = writer.structure("fgraph_ops", size: 8, [.init("idx", int, bit: 0)]) }
    _ = writer.structure(
      "kretprobe_instance", size: 24,
      [.init("llist", first, bit: 0), .init("ret_addr", pointer, bit: 64), .init("fp", pointer, bit: 128)])
    for (lock, waiter) in [("mutex", "mutex_waiter"), ("rw_semaphore", "rwsem_waiter")] {
      _ = writer.structure(
        lock, size: 24,
        [.init("owner", long, bit: 0), .init(isMarked ? "first_waiter" : "wait_list", list, bit: 64)])
      _ = writer.structure(waiter, size: 24, [.init("list", list, bit: 0), .init("task", pointer, bit: 128)])
    }
    return writer.bytes
  }

  /// A task whose stack has an exception, two trampolines and a waiter, and the stacks of its CPU.
  static func memory(isMarked: Bool) -> [UInt8] {
    var memory = WrittenMemory(start: start, bytes: btf(isMarked: isMarked))
    memory.bytes += .zeros(0x5000 - memory.bytes.count)
    for at in stride(from: code, to: code + 0x400, by: 4) { memory.put(0x9400_0000 as UInt32, at) }
    memory.put(2 as UInt32, task)
    memory.put(stack, task + 8)
    memory.link([task + 24])
    memory.put("swapper/0", task + 40)
    memory.put(start + 0x2200, task + 72)
    memory.put(start + 0x2210, task + 80)
    for (number, word) in [stack + 0x100, stack + 0x100, code + 0x10].enumerated() {
      memory.put(word, task + 88 + UInt64(number) * 8)
    }
    memory.put(start + 0x2300, task + 112)
    memory.put(start + 0x2400, task + 128)
    memory.put(start + 0x2500, task + 136)
    memory.put(code + 0x20, start + 0x2200)
    memory.put(code + 0x34, start + 0x2208)
    // Frame records: two calls, an exception, a trampoline of each kind, the end.
    let size: UInt64 = isMarked ? 320 : 336
    let frame: UInt64 = isMarked ? 296 : 304
    let regs = stack + 0x400
    let bottom = stack + 0x4000 - size + frame
    func record(_ at: UInt64, _ fp: UInt64, _ lr: UInt64) {
      memory.put(fp, at)
      memory.put(lr, at + 8)
    }
    record(stack + 0x100, stack + 0x200, code + 0x20)
    record(stack + 0x200, regs + frame, code + 0x34)
    if isMarked {
      memory.put(2 as UInt64, regs + frame + 16)
    } else {
      record(regs + frame, stack + 0x800, code + 0x40)
    }
    memory.put(stack + 0x800, regs + 29 * 8)
    memory.put(code + 0x60, regs + 30 * 8)
    memory.put(regs + size, regs + 248)
    memory.put(code + 0x40, regs + 256)
    memory.put(5 as UInt64, regs + 264)
    record(stack + 0x800, stack + 0x900, start + 0x3100)
    record(stack + 0x900, bottom, start + 0x3200)
    record(bottom, 0, 0)
    if isMarked { memory.put(1 as UInt64, bottom + 16) }
    // What ftrace and a kretprobe keep, and a mutex whose one waiter is on the stack.
    memory.put(code + 0x50, start + 0x2300)
    memory.put(stack + 0x900, start + 0x2310)
    memory.put(0 as UInt64, start + 0x2400)
    memory.put(code + 0x54, start + 0x2408)
    memory.put(bottom, start + 0x2410)
    memory.put(task | 1, start + 0x2500)
    memory.link([start + 0x2508, stack + 0x300])
    memory.put(task, stack + 0x310)
    // __per_cpu_offset, and the pointers to the stacks of the one CPU.
    memory.put(0x10 as UInt64, start + 0x2600)
    memory.put(start + 0x3400, start + 0x2650)
    return memory.bytes
  }
}
