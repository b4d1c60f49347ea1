/// Instructions that store a return address in x30.
enum A64Call {
  /// Whether `word` is BL, BLR, or BLR with pointer authentication. (Arm ARM, "Branches, Exception Generating and System
  /// instructions")
  static func isCall(_ word: UInt32) -> Bool {
    word >> 26 == 0b100101 || word & 0xffff_fc1f == 0xd63f_0000 || word & 0xfeff_f800 == 0xd63f_0800
  }

  /// Whether `word` may have been a call: a call instruction; a kprobes or kgdb breakpoint over one, which is
  /// simulated; or RET to a register other than x30, by which a BPF trampoline enters the function that it is attached
  /// to. (asm/brk-imm.h; `prepare_trampoline`, arch/arm64/net/bpf_jit_comp.c, 6.0)
  static func mayBeCall(_ word: UInt32) -> Bool {
    let isBreakpoint = word == 0xd420_0080 || word == 0xd420_8000
    let isReturn = word & 0xffff_fc1f == 0xd65f_0000 && word >> 5 & 31 != 30
    return isCall(word) || isBreakpoint || isReturn
  }
}
