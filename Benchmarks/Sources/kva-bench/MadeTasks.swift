import TestSupport

/// Tasks of a made dump, each asleep with a stack of some ten calls.
///
///     physical      what
///     40f00000      BTF, in the image
///     44000000      a task_struct each KiB
///     46000000      a stack of 16 KiB for each
struct MadeTasks {
  /// How many there are.
  let count: Int
  /// Their lines of VMCOREINFO.
  let lines: [String]
  /// Words of memory, by their physical address.
  private(set) var words: [(address: UInt64, word: UInt64)] = []
  /// The types.
  let btf = Self.types

  /// Where the types are.
  static let btfPlace: UInt64 = 0x40f0_0000
  private static let structures: UInt64 = 0x4400_0000
  private static let stacks: UInt64 = 0x4600_0000
  private static let stackSize: UInt64 = 16 << 10

  /// As many as fit into `size` bytes of memory from `base` on, `wanted` at most; nil if none does.
  ///
  /// - Parameters:
  ///   - text: `_stext`, with functions of 192 bytes each from 64 bytes behind it on.
  ///   - linear: where the linear map has `base`.
  init?(
    _ wanted: Int, base: UInt64, size: Int, text: UInt64, linear: UInt64, functions: Int,
    _ generator: inout SeededGenerator
  ) {
    let (end, used) = (base + UInt64(size), Self.stacks)
    guard end > used + Self.stackSize, functions > 0 else { return nil }
    count = min(wanted, Int((end - used) / Self.stackSize))
    func virtual(_ physical: UInt64) -> UInt64 { linear &+ (physical - base) }
    let image = text &- base
    lines = [
      "SYMBOL(init_task)=" + String(virtual(Self.structures), radix: 16),
      "SYMBOL(__start_BTF)=" + String(Self.btfPlace &+ image, radix: 16),
      "SYMBOL(__stop_BTF)=" + String(Self.btfPlace &+ image &+ UInt64(btf.count), radix: 16),
    ]
    for number in 0..<UInt64(count) {
      let task = Self.structures + number << 10
      let stack = Self.stacks + number * Self.stackSize
      let next = Self.structures + ((number + 1) % UInt64(count)) << 10
      let previous = Self.structures + ((number + UInt64(count) - 1) % UInt64(count)) << 10
      // The last 48 bytes of struct pt_regs, of 336, begin with the last record.
      let last = stack + Self.stackSize - 32
      var record = stack + 0x3000
      var calls: [UInt64] = []
      for _ in 0..<(8 + generator.next() % 8) {
        let call = base + 64 + generator.next() % UInt64(min(functions, 512)) * 192 + 96
        calls.append(call)
      }
      words.append((task, 1))
      words.append((task + 8, virtual(stack)))
      words.append((task + 16, number | number << 32))
      words.append((task + 24, virtual(next + 24)))
      words.append((task + 32, virtual(previous + 24)))
      words.append((task + 40, number == 0 ? 0x0072_6570_7061_7773 : 0x6b73_6174))
      words.append((task + 48, 0))
      words.append((task + 56, 0))
      words.append((task + 64, virtual(record)))
      words.append((task + 72, virtual(record)))
      words.append((task + 80, calls[0] + 4 &+ image))
      for call in calls {
        // BL to itself, and to itself.
        words.append((call & ~7, 0x9400_0000_9400_0000))
        let above = call == calls.last ? last : record + 32 + generator.next() % 8 * 16
        words.append((record, virtual(above)))
        words.append((record + 8, call + 4 &+ image))
        record = above
        if above == last { break }
      }
      words.append((last, 0))
      words.append((last + 8, 0))
    }
  }

  private static var types: [UInt8] {
    var writer = BTFWriter()
    let int = writer.integer("int", size: 4)
    let long = writer.integer("long unsigned int", size: 8)
    let letter = writer.integer("char", size: 1)
    let pointer = writer.reference(kind: 2, to: 0)
    let list = writer.structure(
      "list_head", size: 16, [.init("next", pointer, bit: 0), .init("prev", pointer, bit: 64)])
    let context = writer.structure(
      "cpu_context", size: 24, [.init("fp", long, bit: 0), .init("sp", long, bit: 64), .init("pc", long, bit: 128)])
    let thread = writer.structure("thread_struct", size: 24, [.init("cpu_context", context, bit: 0)])
    let comm = writer.array(of: letter, index: long, count: 16)
    _ = writer.structure(
      "task_struct", size: 1024,
      [
        .init("__state", int, bit: 0), .init("stack", pointer, bit: 64), .init("pid", int, bit: 128),
        .init("tgid", int, bit: 160), .init("tasks", list, bit: 192), .init("comm", comm, bit: 320),
        .init("mm", pointer, bit: 448), .init("thread", thread, bit: 512),
      ])
    let regs = writer.array(of: long, index: long, count: 38)
    let frame = writer.array(of: long, index: long, count: 2)
    _ = writer.structure(
      "pt_regs", size: 336, [.init("regs", regs, bit: 0), .init("stackframe", frame, bit: 304 * 8)])
    return writer.bytes
  }
}
