/// Decodes ESR_EL1. (Arm ARM, "ESR_EL1, Exception Syndrome Register (EL1)"; arch/arm64/include/asm/esr.h)
package struct ExceptionSyndrome: Hashable, Sendable {
  /// The register.
  package let rawValue: UInt64

  /// Decodes a register.
  package init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// EC, bits 31:26.
  var exceptionClass: UInt64 { rawValue >> 26 & 0x3f }
  /// ISS, bits 24:0.
  var iss: UInt64 { rawValue & 0x1ff_ffff }

  /// The exception class as text.
  package var className: String {
    Self.classes[exceptionClass] ?? "exception class 0x\(String(exceptionClass, radix: 16))"
  }

  /// Whether it is an instruction or data abort.
  package var isAbort: Bool { [0x20, 0x21, 0x24, 0x25].contains(exceptionClass) }
  /// Whether it is an instruction abort.
  package var isInstructionAbort: Bool { exceptionClass == 0x20 || exceptionClass == 0x21 }
  /// Whether it was taken from EL0.
  package var isFromUser: Bool { [0x20, 0x24, 0x11, 0x15, 0x30, 0x32, 0x34, 0x38].contains(exceptionClass) }

  /// The fault status code (DFSC, IFSC: bits 5:0) of an abort; nil for anything else.
  package var faultStatus: Int? { isAbort ? Int(rawValue & 0x3f) : nil }

  /// Whether the access was a write: WnR, except for cache maintenance (CM). False for a fetch; nil if it is not an
  /// abort.
  package var isWrite: Bool? {
    guard isAbort else { return nil }
    return !isInstructionAbort && rawValue >> 6 & 1 == 1 && rawValue >> 8 & 1 == 0
  }

  /// Whether FAR_EL1 is valid: for aborts without FnV, and PC alignment faults.
  package var hasAddress: Bool { isAbort && rawValue >> 10 & 1 == 0 || exceptionClass == 0x22 }

  /// The level of a translation, access flag, permission or address size fault: -1 to 3; nil for others. It is the
  /// architecture's level, not one of Linux's folded ones.
  package var level: Int? {
    guard let status = faultStatus else { return nil }
    switch status {
    case 0x00...0x0f, 0x14...0x17, 0x1c...0x1f: return status & 3
    case 0x13, 0x1b, 0x29, 0x2b: return -1
    default: return nil
    }
  }

  /// The kind of abort as text; nil for anything else.
  package var status: String? {
    guard let code = faultStatus else { return nil }
    let words: String =
      switch code {
      case 0x00...0x03, 0x29: "address size fault"
      case 0x04...0x07, 0x2b: "translation fault"
      case 0x08...0x0b: "access flag fault"
      case 0x0c...0x0f: "permission fault"
      case 0x10: "synchronous external abort"
      case 0x11: "synchronous tag check fault"
      case 0x13...0x17: "synchronous external abort on a table walk"
      case 0x18: "synchronous parity or ECC error"
      case 0x1b...0x1f: "synchronous parity or ECC error on a table walk"
      case 0x21: "alignment fault"
      case 0x30: "TLB conflict abort"
      case 0x31: "unsupported atomic hardware update"
      case 0x34: "lockdown abort"
      case 0x35: "unsupported exclusive or atomic access"
      default: "fault status 0x\(String(code, radix: 16))"
      }
    return level.map { "\(words), level \($0)" } ?? words
  }

  /// The immediate of a BRK; nil for anything else.
  package var breakImmediate: Int? { exceptionClass == 0x3c ? Int(rawValue & 0xffff) : nil }

  private static let classes: [UInt64: String] = [
    0x00: "unknown reason", 0x01: "WFI or WFE", 0x07: "access to SVE, SIMD or floating point",
    0x09: "pointer authentication", 0x0a: "LD64B or ST64B", 0x0d: "branch target (BTI)",
    0x0e: "illegal execution state", 0x11: "SVC of AArch32", 0x15: "SVC", 0x16: "HVC", 0x17: "SMC", 0x18: "MSR or MRS",
    0x19: "access to SVE", 0x1a: "ERET", 0x1c: "failed pointer authentication (FPAC)", 0x1d: "access to SME",
    0x20: "instruction abort from EL0", 0x21: "instruction abort from EL1", 0x22: "PC alignment",
    0x24: "data abort from EL0", 0x25: "data abort from EL1", 0x26: "SP alignment", 0x27: "memory copy or set",
    0x28: "floating-point exception of AArch32", 0x2c: "floating-point exception", 0x2d: "guarded control stack",
    0x2f: "SError", 0x30: "breakpoint from EL0", 0x31: "breakpoint from EL1", 0x32: "software step from EL0",
    0x33: "software step from EL1", 0x34: "watchpoint from EL0", 0x35: "watchpoint from EL1", 0x38: "BKPT of AArch32",
    0x3c: "BRK",
  ]
}
