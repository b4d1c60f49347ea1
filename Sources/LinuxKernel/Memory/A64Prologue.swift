/// Function prologues. (AAPCS64, 6.4.6, "The Frame Pointer")
enum A64Prologue {
  /// N for `add x29, sp, #N`, 0 for `mov x29, sp`, which set the frame pointer to a function's frame record; nil for
  /// any other instruction.
  static func recordOffset(_ word: UInt32) -> UInt64? {
    word & 0xffc0_03ff == 0x9100_03fd ? UInt64(word >> 10 & 0xfff) : nil
  }
}
