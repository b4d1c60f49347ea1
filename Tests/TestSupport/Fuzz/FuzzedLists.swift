/// The memory that the target `lists` reads: see Fuzz/Sources/kva-fuzz/Kernels.swift.
enum FuzzedLists {
  static let start: UInt64 = 0xffff_8000_0801_0000

  /// The kernel's types as far as the lists need them, laid out as this file writes them.
  static var btf: [UInt8] {
    var writer = BTFWriter()
    let int = writer.integer("int", size: 4)
    let long = writer.integer("long unsigned int", size: 8)
    let letter = writer.integer("char", size: 1)
    let pointer = writer.reference(kind: 2, to: 0)
    let list = writer.structure(
      "list_head", size: 16, [.init("next", pointer, bit: 0), .init("prev", pointer, bit: 64)])
    let counter = writer.structure("", size: 8, [.init("counter", long, bit: 0)])
    let context = writer.structure("", size: 8, [.init("id", counter, bit: 0)])
    let info = writer.structure("thread_info", size: 4, [.init("cpu", int, bit: 0)])
    _ = writer.structure("mm_struct", size: 16, [.init("pgd", pointer, bit: 0), .init("context", context, bit: 64)])
    _ = writer.structure("signal_struct", size: 16, [.init("thread_head", list, bit: 0)])
    let comm = writer.array(of: letter, index: long, count: 16)
    let ids = writer.structure("", size: 8, [.init("pid", int, bit: 0), .init("tgid", int, bit: 32)])
    _ = writer.structure(
      "task_struct", size: 104,
      [
        .init("__state", int, bit: 0), .init("stack", pointer, bit: 64), .init("", ids, bit: 128),
        .init("tasks", list, bit: 192),
        .init("comm", comm, bit: 320), .init("mm", pointer, bit: 448), .init("active_mm", pointer, bit: 512),
        .init("signal", pointer, bit: 576),
        .init("thread_node", list, bit: 640), .init("thread_info", info, bit: 768), .init("exit_state", int, bit: 800),
      ])
    let name = writer.array(of: letter, index: long, count: 56)
    let piece = writer.structure(
      "module_memory", size: 16, [.init("base", pointer, bit: 0), .init("size", int, bit: 64)])
    let pieces = writer.array(of: piece, index: long, count: 7)
    let references = writer.structure("", size: 4, [.init("counter", int, bit: 0)])
    _ = writer.structure(
      "module", size: 208,
      [
        .init("state", int, bit: 0), .init("list", list, bit: 64), .init("name", name, bit: 192),
        .init("kallsyms", pointer, bit: 640),
        .init("mem", pieces, bit: 704), .init("refcnt", references, bit: 1600),
      ])
    _ = writer.structure(
      "mod_kallsyms", size: 32,
      [
        .init("symtab", pointer, bit: 0), .init("num_symtab", int, bit: 64), .init("strtab", pointer, bit: 128),
        .init("typetab", pointer, bit: 192),
      ])
    _ = writer.structure(
      "vmap_area", size: 40,
      [
        .init("va_start", long, bit: 0), .init("va_end", long, bit: 64), .init("list", list, bit: 128),
        .init("vm", pointer, bit: 256),
      ])
    _ = writer.structure(
      "vm_struct", size: 64,
      [
        .init("addr", pointer, bit: 64), .init("size", long, bit: 128), .init("flags", long, bit: 192),
        .init("nr_pages", int, bit: 320),
        .init("phys_addr", long, bit: 384), .init("caller", pointer, bit: 448),
      ])
    let flag = writer.reference(kind: 8, "flag", to: int)
    _ = writer.structure("bits", size: 4, [.init("a", flag, bit: 0, bits: 3), .init("b", flag, bit: 3, bits: 7)])
    return writer.bytes
  }

  /// The types among the read-only data, the rest among the data, as the target `searches` places them: what the
  /// lists lead to is moved with them.
  static var image: [UInt8] {
    let readOnly = btf + .zeros(0x1800 - btf.count)
    // Behind _stext, the read-only data and four tables.
    let data = 0xffff_8000_0800_0000 + 0x1000 + 0x2000 + 0x4000 as UInt64
    let from = start + 0x1000
    var bytes = Array(memory[0x1000...])
    for at in stride(from: 0, to: bytes.count - 7, by: 8) {
      let word = bytes[at..<(at + 8)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      guard word >= from, word - from < UInt64(bytes.count) else { continue }
      bytes.replaceSubrange(at..<(at + 8), with: [UInt8](little: word - from + data))
    }
    return readOnly + bytes.prefix(readOnly.count)
  }

  /// Two processes, one of two threads; a module with two symbols; two areas.
  static var memory: [UInt8] {
    var memory = WrittenMemory(start: start, bytes: btf + .zeros(0x2800 - btf.count))
    let tasks = [start + 0x1000, start + 0x1080, start + 0x1100]
    let signals = [start + 0x1200, start + 0x1210]
    let mm = start + 0x1220
    memory.put(0xffff_8000_0800_1000 as UInt64, mm)
    memory.put(42 as UInt64, mm + 8)
    for (number, task) in tasks.enumerated() {
      memory.put(UInt32(number), task)
      memory.put(start + 0x1400 + UInt64(number) << 12, task + 8)
      memory.put(UInt32(number), task + 16)
      memory.put(UInt32(number > 1 ? 1 : number), task + 20)
      memory.put("task\(number)", task + 40)
      if number > 0 { memory.put(mm, task + 56) }
      memory.put(mm, task + 64)
      memory.put(signals[number > 0 ? 1 : 0], task + 72)
      memory.put(UInt32(number % 2), task + 96)
    }
    memory.link([tasks[0] + 24, tasks[1] + 24])
    memory.link([signals[0], tasks[0] + 80])
    memory.link([signals[1], tasks[1] + 80, tasks[2] + 80])

    let module = start + 0x2100
    memory.link([start + 0x2000, module + 8])
    memory.put("fuzz", module + 24)
    memory.put(start + 0x2200, module + 80)
    memory.put(start + 0x2000, module + 88)
    memory.put(0x800 as UInt32, module + 96)
    memory.put(2 as UInt32, module + 200)
    for (offset, value) in [(0, start + 0x2240), (8, 3), (16, start + 0x22a0), (24, start + 0x22c0)]
      as [(UInt64, UInt64)]
    {
      memory.put(value, start + 0x2200 + offset)
    }
    for number in 1..<UInt64(3) {
      let entry = start + 0x2240 + number * 24
      memory.put(UInt32(number * 8 - 7), entry)
      memory.put(1 as UInt16, entry + 6)
      memory.put(start + 0x2300 + number * 16, entry + 8)
      memory.put(16 as UInt64, entry + 16)
    }
    memory.put("\0fuzz_a\0\0fuzz_b\0", start + 0x22a0)
    memory.put("?tT", start + 0x22c0)

    let areas = [start + 0x2400, start + 0x2440]
    memory.link([start + 0x2010] + areas.map { $0 + 16 })
    for (number, area) in areas.enumerated() {
      let place = 0xffff_8000_1000_0000 + UInt64(number) << 16
      let vm = start + 0x2480 + UInt64(number) * 64
      memory.put(place, area)
      memory.put(place + 0x3000, area + 8)
      memory.put(vm, area + 32)
      for (offset, value) in [(8, place), (16, 0x3000), (24, 2), (40, 2), (56, start + 0x2310)] as [(UInt64, UInt64)] {
        memory.put(value, vm + offset)
      }
    }
    // __per_cpu_offset of two CPUs, and where each has its __entry_task.
    memory.put(0x500 as UInt64, start + 0x2020)
    memory.put(0x540 as UInt64, start + 0x2028)
    memory.put(tasks[0], start + 0x2540)
    memory.put(tasks[1], start + 0x2580)
    return memory.bytes
  }
}
