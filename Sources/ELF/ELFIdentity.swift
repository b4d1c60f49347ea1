import Bytes
import CElf

/// What the first 20 bytes of an ELF file identify it as. (elf(5), e_ident, e_type and e_machine)
package struct ELFIdentity: Sendable {
  /// EI_CLASS: 32 or 64 bits.
  package let fileClass: UInt8
  /// EI_DATA: the byte order.
  package let byteOrder: UInt8
  /// e_type: a core, a program, an object file.
  package let type: UInt16
  /// e_machine: the architecture.
  package let machine: UInt16

  /// Where EI_CLASS and its neighbours are, for errors.
  package static let classOffset = UInt64(EI_CLASS)
  package static let byteOrderOffset = UInt64(EI_DATA)
  package static let typeOffset: UInt64 = 16
  package static let machineOffset: UInt64 = 18

  /// Whether a file begins with the magic number of ELF.
  package static func recognises(_ bytes: RawSpan) -> Bool { bytes.hasBytes("\u{7f}ELF", at: 0) }

  /// Reads the identity of a file that begins with `bytes`; nil if they end before e_machine does.
  package init?(_ bytes: RawSpan) {
    guard let fileClass = bytes.integer(UInt8.self, at: Int(EI_CLASS)),
      let byteOrder = bytes.integer(UInt8.self, at: Int(EI_DATA)),
      let type = bytes.integer(UInt16.self, at: Int(Self.typeOffset)),
      let machine = bytes.integer(UInt16.self, at: Int(Self.machineOffset))
    else { return nil }
    self.fileClass = fileClass
    self.byteOrder = byteOrder
    self.type = type
    self.machine = machine
  }

  /// Whether it is little-endian AArch64, the only kind that kva reads.
  package var isLittleEndianArm64: Bool { is64Bit && isLittleEndian && isArm64 }
  package var is64Bit: Bool { fileClass == UInt8(ELFCLASS64) }
  package var isLittleEndian: Bool { byteOrder == UInt8(ELFDATA2LSB) }
  package var isArm64: Bool { machine == UInt16(EM_AARCH64) }
  /// ET_CORE.
  package var isCore: Bool { type == UInt16(ET_CORE) }
  /// ET_REL: what a compiler makes of one source file, or a kernel module.
  package var isRelocatable: Bool { type == UInt16(ET_REL) }

  /// The name of the architecture.
  package var machineName: String {
    switch Int32(machine) {
    case EM_X86_64: "x86-64"
    case EM_386: "32-bit x86"
    case EM_ARM: "32-bit Arm"
    case EM_RISCV: "RISC-V"
    case EM_PPC64: "64-bit PowerPC"
    case EM_S390: "s390"
    default: "machine type \(machine)"
    }
  }
}
