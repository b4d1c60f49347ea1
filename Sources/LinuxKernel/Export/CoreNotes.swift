import Bytes
import CrashDump

/// The notes of an exported core.
struct CoreNotes {
  /// The registers of a CPU or a task.
  struct Thread {
    /// `pr_pid`: gdb wants it unique, and not 0.
    var id: Int
    var registers: TaskRegisters
  }

  var threads: [Thread]
  /// The text of VMCOREINFO; nil if the note is left out.
  var vmcoreinfo: [UInt8]?

  /// They as the contents of PT_NOTE.
  var bytes: [UInt8] {
    var writer = ELFWriter()
    // NT_PRSTATUS
    for thread in threads { writer.note(name: "CORE", type: 1, Self.status(thread)) }
    if let vmcoreinfo { writer.note(name: "VMCOREINFO", type: 0, vmcoreinfo) }
    return writer.bytes
  }

  /// `struct elf_prstatus` of arm64: 392 bytes, pr_pid at 32, pr_reg at 112. (include/linux/elfcore.h)
  private static func status(_ thread: Thread) -> [UInt8] {
    var status = [UInt8](repeating: 0, count: 392)
    func put(_ value: UInt64, at offset: Int, bytes: Int = 8) {
      for index in 0..<bytes { status[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }
    put(UInt64(thread.id), at: 32, bytes: 4)
    let registers = thread.registers
    for (number, value) in (registers.general + [registers.sp, registers.pc, registers.pstate]).enumerated() {
      put(value ?? 0, at: 112 + 8 * number)
    }
    return status
  }
}
