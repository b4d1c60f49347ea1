/// What functions do on entry. (AAPCS64, 6.4.6, "The Frame Pointer")
enum A64Prologue {
  /// N of `add x29, sp, #N`, 0 of `mov x29, sp`, by which a function makes its frame record the current one; nil of another
  /// instruction.
  static func recordOffset(_ word: UInt32) -> UInt64? {
    word & 0xffc0_03ff == 0x9100_03fd ? UInt64(word >> 10 & 0xfff) : nil
  }
}
