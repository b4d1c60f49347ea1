import Bytes
import DebugInfo

/// The return addresses that ftrace and kprobes replaced with those of their trampolines and saved elsewhere.
///
/// The key of a frame's entry is the frame pointer stored next to the trampoline's address.
/// (`unwind_recover_return_address`, arch/arm64/kernel/stacktrace.c)
struct ReturnHooks: Sendable {
  private let memory: KernelMemory
  private let graph: FunctionGraph?
  private let lists: [HookList]
  private let trampolines: Set<UInt64>

  /// nil if the kernel has no trampolines.
  init?(_ memory: KernelMemory, _ types: KernelTypes, _ symbols: KernelSymbols) {
    let found = symbols.addresses(of: [FunctionGraph.trampoline] + HookList.all.flatMap(\.trampolines))
    guard !found.isEmpty else { return nil }
    self.memory = memory
    trampolines = Set(found.values)
    graph = found[FunctionGraph.trampoline].flatMap { FunctionGraph($0, types) }
    lists = HookList.all.compactMap { HookList($0, found, types) }
  }

  /// Whether `pc` is where a trampoline begins.
  func isTrampoline(_ pc: UInt64) -> Bool { trampolines.contains(pc) }

  /// The original return address of the function whose frame record has the trampoline `pc` and the frame pointer `fp`;
  /// nil if the task at `task` has no entry for it.
  ///
  /// - Parameter met: the number of ftrace trampolines met before on this stack.
  func address(behind pc: UInt64, fp: UInt64, of task: UInt64, met: Int) -> UInt64? {
    var result = pc
    // Both may have replaced the same address.
    for _ in 0..<2 where isTrampoline(result) {
      let next =
        result == graph?.address
        ? graph?.returnAddress(fp, task, met, memory)
        : lists.lazy.filter { $0.addresses.contains(result) }.compactMap { $0.returnAddress(fp, task, memory) }.first
      guard let next else { return nil }
      result = next
    }
    return isTrampoline(result) ? nil : result
  }

  /// Whether `pc` is the trampoline of ftrace.
  func isGraph(_ pc: UInt64) -> Bool { pc == graph?.address }
}

/// The function graph tracer's record of a task. (kernel/trace/fgraph.c)
private struct FunctionGraph: Sendable {
  static let trampoline = "return_to_handler"

  let address: UInt64
  /// `task_struct.ret_stack` and `curr_ret_stack`.
  private let stack: UInt64
  private let top: TypeMember
  /// `struct ftrace_ret_stack`.
  private let size: UInt64
  private let ret: UInt64
  private let retp: UInt64?
  /// Whether the entries are on a stack of longs among others, not in an array. (42675b723b48 ("function_graph: Convert
  /// ret_stack to a series of longs"), 6.11, the version in which `struct fgraph_ops` got `idx`)
  private let isMixed: Bool

  /// The limit of the index: a page of longs, or 50 entries (FTRACE_RETFUNC_DEPTH).
  private static let highest: Int64 = 8192

  init?(_ address: UInt64, _ types: KernelTypes) {
    guard let stack = types.member("ret_stack", of: "task_struct"),
      let top = types.member("curr_ret_stack", of: "task_struct"), let size = types.size(of: "ftrace_ret_stack"),
      let ret = types.member("ret", of: "ftrace_ret_stack")
    else { return nil }
    self.address = address
    self.stack = UInt64(stack.offset)
    self.top = top
    self.size = UInt64(size)
    self.ret = UInt64(ret.offset)
    retp = types.member("retp", of: "ftrace_ret_stack").map { UInt64($0.offset) }
    isMixed = types.member("idx", of: "fgraph_ops") != nil
  }

  func returnAddress(_ fp: UInt64, _ task: UInt64, _ met: Int, _ memory: KernelMemory) -> UInt64? {
    guard let start = memory.pointer(at: task &+ stack), start != 0,
      let top = StructView(space: memory, address: task).signed(top), (0...Self.highest).contains(top)
    else { return nil }
    func matching(_ entry: UInt64) -> UInt64? {
      guard let retp, memory.word(at: entry &+ retp) == fp else { return nil }
      return memory.word(at: entry &+ ret).flatMap { $0 == address ? nil : $0 }
    }
    if isMixed {
      var index = UInt64(top)
      while index > 0, let word = memory.word(at: start &+ (index - 1) &* 8) {
        let step = word & 0x3ff
        guard step < index else { return nil }
        index -= 1 + step
        if let found = matching(start &+ index &* 8) { return found }
      }
      return nil
    }
    guard retp != nil else {
      let number = top - Int64(met)
      return number >= 0 ? memory.word(at: start &+ UInt64(number) &* size &+ ret) : nil
    }
    return (0...UInt64(top)).lazy.reversed().compactMap { matching(start &+ $0 &* size) }.first
  }
}

/// A list of the return addresses of a task that kretprobes or rethooks replaced. (kernel/kprobes.c, 5.11;
/// kernel/trace/rethook.c, 5.18)
private struct HookList: Sendable {
  /// Its names in the kernel.
  struct Names {
    var trampolines: [String]
    var head: String
    var type: String
    var link: String
    var frame: String
  }

  static let all = [
    Names(
      trampolines: ["__kretprobe_trampoline", "kretprobe_trampoline"], head: "kretprobe_instances.first",
      type: "kretprobe_instance", link: "llist", frame: "fp"),
    Names(
      trampolines: ["arch_rethook_trampoline"], head: "rethooks.first", type: "rethook_node", link: "llist",
      frame: "frame"),
  ]

  let addresses: Set<UInt64>
  private let head: UInt64
  private let link: UInt64
  private let frame: UInt64
  private let ret: UInt64

  /// The most calls on a task's stack.
  private static let most = 4096

  init?(_ names: Names, _ found: [String: UInt64], _ types: KernelTypes) {
    addresses = Set(names.trampolines.compactMap { found[$0] })
    guard !addresses.isEmpty, let head = types.member(names.head, of: "task_struct"),
      let link = types.member(names.link, of: names.type), let frame = types.member(names.frame, of: names.type),
      let ret = types.member("ret_addr", of: names.type)
    else { return nil }
    self.head = UInt64(head.offset)
    self.link = UInt64(link.offset)
    self.frame = UInt64(frame.offset)
    self.ret = UInt64(ret.offset)
  }

  func returnAddress(_ fp: UInt64, _ task: UInt64, _ memory: KernelMemory) -> UInt64? {
    var here = memory.pointer(at: task &+ head)
    for _ in 0..<Self.most {
      guard let node = here, node != 0 else { return nil }
      let entry = node &- link
      if memory.word(at: entry &+ frame) == fp, let ret = memory.word(at: entry &+ ret), !addresses.contains(ret) {
        return ret
      }
      here = memory.pointer(at: node)
    }
    return nil
  }
}
