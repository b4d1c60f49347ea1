/// Instructions that store a return address in x30.
enum A64Call {
  /// Whether `word` is BL, BLR, or BLR with pointer authentication. (Arm ARM, "Branches, Exception Generating and System
  /// instructions")
  static func isCall(_ word: UInt32) -> Bool {
    word >> 26 == 0b100101 || word & 0xffff_fc1f == 0xd63f_0000 || word & 0xfeff_f800 == 0xd63f_0800
  }
}
