import Bytes

/// Values that the kernel writes where nothing valid is, so that a use shows in a dump.
/// (include/linux/poison.h; arm64 has ILLEGAL_POINTER_VALUE 0xdead000000000000)
enum Poison {
  private static let values: [(UInt64, String)] = [
    (0xdead_0000_0000_0100, "LIST_POISON1: the next pointer of an element taken off a list"),
    (0xdead_0000_0000_0122, "LIST_POISON2: the previous pointer of an element taken off a list"),
    (0xdead_0000_0000_0300, "TIMER_ENTRY_STATIC: a timer that was never started"),
    (0x6b6b_6b6b_6b6b_6b6b, "POISON_FREE: memory of a freed slab object"),
    (0x5a5a_5a5a_5a5a_5a5a, "POISON_INUSE: memory of a slab object that was never written"),
    (0xa56b_6b6b_6b6b_6b6b, "POISON_FREE with POISON_END: the last bytes of a freed slab object"),
    (0xaaaa_aaaa_aaaa_aaaa, "PAGE_POISON: memory of a freed page"),
    (0xbbbb_bbbb_bbbb_bbbb, "SLUB_RED_INACTIVE: the red zone of a free slab object"),
    (0xcccc_cccc_cccc_cccc, "SLUB_RED_ACTIVE, or POISON_FREE_INITMEM: a red zone, or freed init memory"),
    (0xfefe_fefe_fefe_fefe, "memory that was filled on allocation or freeing for a test"),
  ]

  /// What `value`, or a pointer a little beyond it, stands for.
  static func name(_ value: UInt64) -> String? {
    if let exact = values.first(where: { $0.0 == value }) { return exact.1 }
    guard let near = values.first(where: { value > $0.0 && value - $0.0 < 4096 }) else { return nil }
    return "\(near.1), plus \(hex(value - near.0))"
  }
}
