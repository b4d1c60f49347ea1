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
  /// What was left out on purpose, as text.
  var omissions: [String] = []
  /// The bits below bit 55 that a pointer authentication code occupies; nil if return addresses are not signed.
  var pointerAuthentication: UInt64?
  /// The address of the kernel image's first instruction.
  var entry: UInt64?
  /// Whether user-space debuggers read the core: they take the entry point and the CPU features from NT_AUXV.
  var hasAuxiliaryVector = false

  /// The contents of PT_NOTE.
  var bytes: [UInt8] { written.bytes }

  /// The contents of PT_NOTE, and where in them the VMCOREINFO text is.
  var written: (bytes: [UInt8], vmcoreinfo: Range<Int>) {
    var writer = ELFWriter()
    var text = 0..<0
    for thread in threads {
      // NT_PRSTATUS
      writer.note(name: "CORE", type: 1, Self.status(id: thread.id, parent: 0, thread.registers))
      if let pointerAuthentication {
        // NT_ARM_PAC_MASK: `struct user_pac_mask`, of data and of instructions.
        writer.note(name: "LINUX", type: 0x406, ELFWriter.words([pointerAuthentication, pointerAuthentication]))
      }
    }
    if hasAuxiliaryVector, let entry {
      // NT_AUXV: debuggers relocate a vmlinux for KASLR by AT_ENTRY, and gdb detects PAC by AT_HWCAP (HWCAP_PACA).
      // AT_NULL ends it. (include/uapi/linux/auxvec.h, arch/arm64/include/uapi/asm/hwcap.h)
      let features: UInt64 = pointerAuthentication == nil ? 0 : 1 << 30
      writer.note(name: "CORE", type: 6, ELFWriter.words([16, features, 9, entry, 0, 0]))
    }
    if let vmcoreinfo { text = writer.note(name: "VMCOREINFO", type: 0, vmcoreinfo) }
    // kva reads this back as `DumpNotes.omissions`.
    if !omissions.isEmpty {
      writer.note(name: "kva", type: 1, Array(omissions.joined(separator: "\n").utf8))
    }
    return (writer.bytes, text)
  }

  /// `struct elf_prstatus` of arm64: 392 bytes, pr_pid at 32, pr_ppid at 36, pr_reg at 112. (include/linux/elfcore.h)
  static func status(id: Int, parent: Int, _ registers: TaskRegisters) -> [UInt8] {
    var status = [UInt8](repeating: 0, count: 392)
    func put(_ value: UInt64, at offset: Int, bytes: Int = 8) {
      for index in 0..<bytes { status[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }
    put(UInt64(truncatingIfNeeded: id), at: 32, bytes: 4)
    put(UInt64(truncatingIfNeeded: parent), at: 36, bytes: 4)
    for (number, value) in (registers.general + [registers.sp, registers.pc, registers.pstate]).enumerated() {
      put(value ?? 0, at: 112 + 8 * number)
    }
    return status
  }
}
