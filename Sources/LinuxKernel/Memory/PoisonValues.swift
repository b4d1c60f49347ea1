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
    (0x5858_5858_5858_5858, "memory that makedumpfile erased (eraseinfo): it writes X"),
    (0xfefe_fefe_fefe_fefe, "memory that was filled on allocation or freeing for a test"),
  ]

  /// Whether `value` is a negative error number that a pointer holds. (include/linux/err.h, MAX_ERRNO)
  static func isError(_ value: UInt64) -> Bool { value > .max - 4095 }

  /// The names of errors that functions of the kernel often return. (include/uapi/asm-generic/errno-base.h, errno.h,
  /// include/linux/errno.h)
  private static let errors: [UInt64: String] = [
    1: "EPERM", 2: "ENOENT", 4: "EINTR", 5: "EIO", 6: "ENXIO", 7: "E2BIG", 9: "EBADF", 11: "EAGAIN", 12: "ENOMEM",
    13: "EACCES", 14: "EFAULT", 16: "EBUSY", 17: "EEXIST", 19: "ENODEV", 20: "ENOTDIR", 21: "EISDIR", 22: "EINVAL",
    24: "EMFILE", 27: "EFBIG", 28: "ENOSPC", 30: "EROFS", 32: "EPIPE", 34: "ERANGE", 36: "ENAMETOOLONG", 38: "ENOSYS",
    61: "ENODATA", 62: "ETIME", 71: "EPROTO", 74: "EBADMSG", 75: "EOVERFLOW", 95: "EOPNOTSUPP", 110: "ETIMEDOUT",
    116: "ESTALE", 117: "EUCLEAN", 512: "ERESTARTSYS", 517: "EPROBE_DEFER", 524: "ENOTSUPP",
  ]

  /// What `value`, or a pointer a little beyond it, stands for.
  static func name(_ value: UInt64) -> String? {
    if isError(value) {
      let number = 0 &- value
      return "ERR_PTR(-\(number))" + (errors[number].map { ": \($0)" } ?? "")
    }
    if let exact = values.first(where: { $0.0 == value }) { return exact.1 }
    guard let near = values.first(where: { value > $0.0 && value - $0.0 < 4096 }) else { return nil }
    return "\(near.1), plus \(hex(value - near.0))"
  }
}
