import Bytes

/// Poison values that the kernel writes in place of valid data, so that their use shows in a dump.
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

  /// 32-bit magic numbers and poison values.
  private static let halves: [(UInt64, String)] = [
    (0x57ac_6e9d, "STACK_END_MAGIC: the lowest word of a stack"),
    (0xdead_4ead, "SPINLOCK_MAGIC: a spinlock, with CONFIG_DEBUG_SPINLOCK"),
    (0xdeaf_1eed, "RWLOCK_MAGIC: a rwlock, with CONFIG_DEBUG_SPINLOCK"),
    (0x6b6b_6b6b, "POISON_FREE: memory of a freed slab object, half a word"),
    (0x5a5a_5a5a, "POISON_INUSE: memory of a slab object that was never written, half a word"),
    (0xa56b_6b6b, "POISON_FREE with POISON_END: the last bytes of a freed slab object, half a word"),
    (0xaaaa_aaaa, "PAGE_POISON: memory of a freed page, half a word"),
    (0xbbbb_bbbb, "SLUB_RED_INACTIVE: the red zone of a free slab object, half a word"),
    (0xcccc_cccc, "SLUB_RED_ACTIVE, or POISON_FREE_INITMEM, half a word"),
    (0x5858_5858, "memory that makedumpfile erased (eraseinfo): it writes X, half a word"),
  ]

  /// Whether `value` is a negative error number that a pointer holds. (include/linux/err.h, MAX_ERRNO)
  static func isError(_ value: UInt64) -> Bool { value > .max - 4095 }

  /// (include/linux/err.h; include/uapi/asm-generic/errno-base.h and errno.h; include/linux/errno.h)
  private static func errorName(_ number: UInt64) -> String? {
    errors.indices.contains(Int(number) - 1) ? errors[Int(number) - 1] : internalErrors[number]
  }

  /// The errors from 1 on; 41 and 58 are unassigned.
  private static let errors: [String?] = """
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST
    EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM
    ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG
    EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR ENODATA ETIME ENOSR ENONET
    ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG
    ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE
    EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE
    EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN
    ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL
    EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD
    ENOTRECOVERABLE ERFKILL EHWPOISON
    """.split(whereSeparator: \.isWhitespace).map { $0 == "-" ? nil : String($0) }

  /// The errors that user space never sees.
  private static let internalErrors: [UInt64: String] = [
    512: "ERESTARTSYS", 513: "ERESTARTNOINTR", 514: "ERESTARTNOHAND", 515: "ENOIOCTLCMD",
    516:
      "ERESTART_RESTARTBLOCK", 517: "EPROBE_DEFER", 518: "EOPENSTALE", 519: "ENOPARAM", 521: "EBADHANDLE",
    522:
      "ENOTSYNC", 523: "EBADCOOKIE", 524: "ENOTSUPP", 525: "ETOOSMALL", 526: "ESERVERFAULT", 527: "EBADTYPE",
    528:
      "EJUKEBOX", 529: "EIOCBQUEUED", 530: "ERECALLCONFLICT", 531: "ENOGRACE",
  ]

  /// The meaning of `value`, or of a pointer slightly above one.
  static func name(_ value: UInt64) -> String? {
    if isError(value) {
      let number = 0 &- value
      return "ERR_PTR(-\(number))" + (errorName(number).map { ": \($0)" } ?? "")
    }
    if let exact = values.first(where: { $0.0 == value }) { return exact.1 }
    if let near = values.first(where: { value > $0.0 && value - $0.0 < 4096 }) {
      return "\(near.1), plus \(hex(value - near.0))"
    }
    if let half = halves.first(where: { $0.0 == value }) { return half.1 }
    return value >> 32 == 0xdead_0000 ? "ILLEGAL_POINTER_VALUE plus \(hex(value & 0xffff_ffff)): no pointer" : nil
  }
}
