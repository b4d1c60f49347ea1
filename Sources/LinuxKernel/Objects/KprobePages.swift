import Bytes
import DebugInfo

/// The pages to which kprobes copy instructions for single-stepping. (`kprobe_insn_slots`, kernel/kprobes.c)
struct KprobePages: Sendable {
  let context: KernelContext

  /// Whether one of them holds `address`.
  func contain(_ address: UInt64) -> Bool {
    let types = context.types.value
    guard let cache = context.symbols.symbol(named: "kprobe_insn_slots")?.address,
      let pages = types.member("pages", of: "kprobe_insn_cache"),
      let list = types.member("list", of: "kprobe_insn_page"),
      let instructions = types.member("insns", of: "kprobe_insn_page")
    else { return false }
    let page = address & ~(context.regime.granule.size - 1)
    return context.memory.list(at: cache &+ UInt64(pages.offset), named: "kprobe_insn_slots").elements.contains {
      link in
      StructView(space: context.memory, address: link &- UInt64(list.offset)).pointer(instructions) == page
    }
  }
}
