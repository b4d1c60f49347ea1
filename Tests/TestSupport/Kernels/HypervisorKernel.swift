import Foundation

/// A kernel made by hand that has KVM's tables at EL2: `AuditedKernel`, and beside it
///
///     hyp address       physical    what
///     40001000          40200000    a stack in the private area
///     40002000          40006000    vectors in the private area: executable
///     40003000          08010000    GICv2 registers in the private area
///     40005000          40005000    the idmap page
///     a5c000004000 ...  40004000    the hypervisor's text, four pages
///     a5c000020000      40020000    its data
///
/// The hyp address of a linear address is its low 32 bits with the tag a5c0 above them. The variables of KVM
/// are at 40020000: va_mask, tag_lsb, tag_val, hyp_pgtable; struct kvm_pgtable is at 40021000, the root at
/// 40180000.
public struct HypervisorKernel: Sendable {
  /// The kernel around it.
  public var kernel = AuditedKernel()
  /// The tables at EL2.
  public var tables = TableWriter(.k4, .bits48, vaBits: 48, root: 0x4018_0000, firstTable: 0x4019_0000)
  /// The lines of its System.map.
  public var symbols: [(address: UInt64, name: String)] = []

  /// AF, inner shareable, AP[1], XN.
  public static let data: UInt64 = 0x0040_0000_0000_0740
  /// AF, inner shareable, AP[1], AP[2].
  public static let text: UInt64 = 0x0000_0000_0000_07c0
  /// Where the image has physical 40020000.
  public static let variables: UInt64 = AuditedKernel.text + 0x2_0000

  /// Makes its tables and variables. Nothing is named but `_stext` and where the hypervisor's code is.
  public init() {
    tables.map(0x4000_1000, to: 0x4020_0000, attributes: Self.data)
    tables.map(0x4000_2000, to: 0x4000_6000, attributes: Self.text)
    tables.map(0x4000_3000, to: 0x0801_0000, attributes: Self.data | AuditedKernel.deviceType)
    tables.map(0x4000_5000, to: 0x4000_5000, attributes: Self.text)
    for page in UInt64(4)..<8 {
      tables.map(0xa5c0_0000_0000 + page << 12, to: 0x4000_0000 + page << 12, attributes: Self.text)
    }
    tables.map(0xa5c0_0002_0000, to: 0x4002_0000, attributes: Self.data)
    kernel.memory[0x4002_0000] = 0xffff_ffff
    kernel.memory[0x4002_0008] = 32
    kernel.memory[0x4002_0010] = 0xa5c0
    kernel.memory[0x4002_0018] = AuditedKernel.linear + 0x2_1000
    kernel.memory[0x4002_1000] = 48
    kernel.memory[0x4002_1008] = AuditedKernel.linear + 0x18_0000
    symbols = [
      (AuditedKernel.text, "_stext"), (AuditedKernel.text + 0x4000, "__hyp_text_start"),
      (AuditedKernel.text + 0x5000, "__hyp_idmap_text_start"), (AuditedKernel.text + 0x5abc, "__hyp_idmap_text_end"),
    ]
  }

  /// Names the variables, as a kernel with CONFIG_KALLSYMS_ALL does.
  public mutating func nameVariables(_ tables: String = "hyp_pgtable") {
    symbols += [
      (Self.variables, "va_mask"), (Self.variables + 8, "tag_lsb"), (Self.variables + 0x10, "tag_val"),
      (Self.variables + 0x18, tables),
    ]
  }

  /// Names functions alone, and puts their code there, as GNU as assembles it:
  /// `create_hyp_mappings` with the patched `kern_hyp_va` twice, and `kvm_mmu_get_httbr`.
  public mutating func nameFunctions() {
    symbols += [
      (AuditedKernel.text + 0x8000, "create_hyp_mappings"), (AuditedKernel.text + 0x9000, "kvm_mmu_get_httbr"),
    ]
    // paciasp; mov x19, x0; and x20, x20, #0xffffffff; ror x20, x20, #32; add x20, x20, #0x5c0;
    // add x20, x20, #0xa, lsl #12; ror x20, x20, #32; the same with x21; ret
    put(
      at: 0x4000_8000,
      [
        0xd503_233f, 0xaa00_03f3, 0x9240_7e94, 0x93d4_8294, 0x9117_0294, 0x9140_2a94, 0x93d4_8294, 0x9240_7eb5,
        0x93d5_82b5, 0x9117_02b5, 0x9140_2ab5, 0x93d5_82b5, 0xd65f_03c0,
      ])
    // nop; adrp x0, .+0x17000; mov x1, #1 << 48; ldr x0, [x0, #24]; ldr x0, [x0, #8]; add x0, x0, x1; ret
    put(
      at: 0x4000_9000,
      [0xd503_201f, 0xf000_00a0, 0xd2e0_0021, 0xf940_0c00, 0xf940_0400, 0x8b01_0000, 0xd65f_03c0])
  }

  private mutating func put(at address: UInt64, _ code: [UInt64]) {
    for index in stride(from: 0, to: code.count, by: 2) {
      kernel.memory[address + UInt64(index) * 4] = code[index] | (index + 1 < code.count ? code[index + 1] << 32 : 0)
    }
  }

  /// Writes its core and its System.map.
  public func write(to path: String, map: String) throws {
    var kernel = kernel
    for (address, word) in tables.words { kernel.memory[address] = word }
    try kernel.write(to: path)
    let lines = symbols.map { String($0.address, radix: 16) + " T " + $0.name + "\n" }
    try Data(lines.joined().utf8).write(to: URL(fileURLWithPath: map))
  }
}
