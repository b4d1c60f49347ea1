/// What killed a kernel.
package enum FaultKind: String, Sendable, CaseIterable {
  /// A NULL pointer dereference, also of a member.
  case nullPointer = "null-pointer"
  /// An access to an unmapped address.
  case pagingRequest = "paging-request"
  /// A write to read-only memory.
  case writeReadOnly = "write-read-only"
  /// A read of unreadable memory.
  case readUnreadable = "read-unreadable"
  /// A fetch from non-executable memory.
  case executeNonExecutable = "execute-non-executable"
  /// A fetch from user memory (PXN).
  case executeUser = "execute-user"
  /// An access to user memory outside the uaccess routines (PAN).
  case accessUser = "access-user"
  /// A misaligned access.
  case alignment
  /// A pointer whose tag does not match the memory's (MTE).
  case tagCheck = "tag-check"
  /// A synchronous external abort.
  case externalAbort = "external-abort"
  /// An SError: an error that the memory system reported asynchronously.
  case serror
  /// A kernel stack overflow.
  case stackOverflow = "stack-overflow"
  /// An undefined instruction.
  case undefinedInstruction = "undefined-instruction"
  /// A branch to a non-target (BTI).
  case branchTarget = "branch-target"
  /// A failed pointer authentication (FPAC).
  case pointerAuthentication = "pointer-authentication"
  /// BUG().
  case bug
  /// WARN() with panic_on_warn.
  case warning
  /// A failed UBSAN check.
  case ubsan
  /// An indirect call to a function of the wrong type (kCFI).
  case cfi
  /// A KASAN report.
  case kasan
  /// A KFENCE report.
  case kfence
  /// A CPU that did not schedule.
  case softLockup = "soft-lockup"
  /// A CPU that took no interrupts.
  case hardLockup = "hard-lockup"
  /// A CPU or a task that stalled RCU.
  case rcuStall = "rcu-stall"
  /// A task that was blocked for too long.
  case hungTask = "hung-task"
  /// Another lockup.
  case lockup
  /// A requested panic.
  case requested
  /// Another panic.
  case panic
  /// Something else.
  case other

  /// From the syndrome and the address alone.
  init(_ syndrome: ExceptionSyndrome, far: UInt64?, pageSize: UInt64) {
    let status = syndrome.faultStatus ?? 0
    switch syndrome.exceptionClass {
    case 0x00, 0x0e: self = .undefinedInstruction
    case 0x0d: self = .branchTarget
    case 0x1c: self = .pointerAuthentication
    case 0x22, 0x26: self = .alignment
    case 0x2f: self = .serror
    case 0x3c: self = Self(breakImmediate: Int(syndrome.rawValue & 0xffff))
    case 0x20, 0x21, 0x24, 0x25:
      let isUser = far.map { $0 >> 55 & 1 == 0 } ?? false
      switch status {
      case 0x0c...0x0f:
        if syndrome.isInstructionAbort {
          self = isUser ? .executeUser : .executeNonExecutable
        } else if isUser {
          self = .accessUser
        } else {
          self = syndrome.isWrite == true ? .writeReadOnly : .readUnreadable
        }
      case 0x10, 0x13...0x18, 0x1b...0x1f: self = .externalAbort
      case 0x11: self = .tagCheck
      case 0x21: self = .alignment
      default: self = far.map { $0 < pageSize } ?? false ? .nullPointer : .pagingRequest
      }
    default: self = .other
    }
  }

  /// From the immediate of a BRK. (arch/arm64/include/asm/brk-imm.h)
  init(breakImmediate immediate: Int) {
    switch immediate {
    case 0x800: self = .bug
    case 0x900...0x9ff: self = .kasan
    case 0x5500...0x55ff: self = .ubsan
    case 0x8000...0x83ff: self = .cfi
    default: self = .other
    }
  }

  /// From the line that announces a lockup. (kernel/watchdog.c; kernel/hung_task.c; kernel/rcu/tree_stall.h)
  package init(lockup headline: String) {
    self =
      headline.contains("soft lockup")
      ? .softLockup
      : headline.contains("hard LOCKUP")
        ? .hardLockup
        : headline.contains("rcu") ? .rcuStall : headline.contains("blocked for more than") ? .hungTask : .lockup
  }
}
