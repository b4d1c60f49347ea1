import Foundation
import KernelVA
import TestSupport
import Testing

/// Where the tables are and what shape they have: each source of each fact by itself, from kernels of every shape.
/// (arm64 facts 1.9 and 4)
@Suite struct KernelFactsTests {
  private func kernel(
    _ shaped: ShapedKernel, overrides: KernelOverrides = KernelOverrides(), systemMap: String? = nil
  ) throws -> Kernel {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try shaped.write(to: path)
      let map = folder.appendingPathComponent("System.map")
      if let systemMap { try Data(systemMap.utf8).write(to: map) }
      return try Kernel(
        in: DumpFile(path: path), overrides: overrides, systemMap: systemMap == nil ? nil : map.path)
    }
  }

  /// The text is where the tables have it, and nothing was said against them.
  private func expectText(_ kernel: Kernel) {
    for offset in [0, 0xabc] as [UInt64] {
      let leaf = kernel.translate(VirtualAddress(ShapedKernel.text + offset)).leaf
      #expect(leaf?.physical == PhysicalAddress(ShapedKernel.textPhysical + offset))
    }
    #expect(kernel.warnings.isEmpty, "\(kernel.warnings)")
    #expect(kernel.facts.swapperPhysical.value == PhysicalAddress(ShapedKernel.root))
    #expect(
      kernel.facts.swapperVirtual?.value == VirtualAddress(ShapedKernel.root &+ ShapedKernel.kimageVoffset))
  }

  /// A kernel and what is true of it.
  struct Case: Sendable, CustomTestStringConvertible {
    var granule: TableWriter.Granule
    var encoding: TableWriter.Encoding
    /// VA_BITS.
    var vaBits: Int
    /// The width that the hardware has, and that of the tables.
    var actual: Int
    var tableBits: Int
    var least: Int
    var startLevel: Int
    var rootEntries: Int
    var format: DescriptorFormat
    var testDescription: String { "\(granule) \(vaBits) on \(actual)" }
    var shaped: ShapedKernel { ShapedKernel(granule, encoding, tableBits: tableBits, vaBits: vaBits) }
  }

  /// Start levels and root entries by the table of facts 1.1; tables of 64 KiB pages stay in the 52-bit shape on
  /// hardware of 48 bits, others shrink: 4 KiB to 48, 16 KiB to 47.
  static let cases = [
    Case(
      granule: .k4, encoding: .bits48, vaBits: 48, actual: 48, tableBits: 48, least: 48, startLevel: 0,
      rootEntries: 512, format: .bits48(.fourKiB)),
    Case(
      granule: .k4, encoding: .lpa2, vaBits: 52, actual: 52, tableBits: 52, least: 48, startLevel: -1,
      rootEntries: 16, format: .lpa2(.fourKiB)),
    Case(
      granule: .k4, encoding: .bits48, vaBits: 52, actual: 48, tableBits: 48, least: 48, startLevel: 0,
      rootEntries: 512, format: .bits48(.fourKiB)),
    Case(
      granule: .k16, encoding: .bits48, vaBits: 48, actual: 48, tableBits: 48, least: 48, startLevel: 0,
      rootEntries: 2, format: .bits48(.sixteenKiB)),
    Case(
      granule: .k16, encoding: .lpa2, vaBits: 52, actual: 52, tableBits: 52, least: 47, startLevel: 0,
      rootEntries: 32, format: .lpa2(.sixteenKiB)),
    Case(
      granule: .k64, encoding: .lpa, vaBits: 48, actual: 48, tableBits: 48, least: 48, startLevel: 1,
      rootEntries: 64, format: .lpa64KiB),
    Case(
      granule: .k64, encoding: .lpa, vaBits: 52, actual: 52, tableBits: 52, least: 48, startLevel: 1,
      rootEntries: 1024, format: .lpa64KiB),
    Case(
      granule: .k64, encoding: .lpa, vaBits: 52, actual: 48, tableBits: 52, least: 48, startLevel: 1,
      rootEntries: 1024, format: .lpa64KiB),
  ]

  private func expect(_ kernel: Kernel, _ known: Case) {
    #expect(kernel.facts.granule.value.size == known.granule.bytes)
    #expect(kernel.facts.vaBits.value == known.vaBits)
    #expect(kernel.facts.vaBitsActual.value == known.actual)
    #expect(kernel.facts.vaBitsMin == known.least)
    #expect(kernel.regime.tableBits == known.tableBits)
    #expect(kernel.regime.addressBits == known.actual)
    #expect(kernel.regime.startLevel == known.startLevel)
    #expect(kernel.regime.rootEntries == known.rootEntries)
    #expect(kernel.regime.format == known.format)
    #expect(kernel.regime.root == PhysicalAddress(ShapedKernel.root))
    expectText(kernel)
  }

  @Test("TCR_EL1.T1SZ in VMCOREINFO tells the width in use", arguments: cases)
  func byT1SZ(_ known: Case) throws {
    for name in ["TCR_EL1_T1SZ", "tcr_el1_t1sz"] {
      var shaped = known.shaped
      shaped.vmcoreinfo.append("NUMBER(\(name))=0x\(String(64 - known.actual, radix: 16))")
      let kernel = try kernel(shaped)
      expect(kernel, known)
      #expect(kernel.facts.vaBitsActual.provenance == .vmcoreinfo(key: "NUMBER(\(name))", origin: "VMCOREINFO"))
    }
  }

  @Test("Without it the tables tell", arguments: cases)
  func byTables(_ known: Case) throws {
    var shaped = known.shaped
    if known.granule == .k64, known.actual == 52 {
      // The linear map of 52 bits begins below what 48 bits reach.
      shaped.writer.map(0xfff0_0000_4020_0000, to: 0x4020_0000, attributes: 0x0060_0000_0000_0700)
    }
    try expect(kernel(shaped), known)
  }

  @Test("16 KiB pages with 52 bits on hardware without them have tables for 47")
  func fallbackOf16KiB() throws {
    // The text lies where 47 bits reach.
    var writer = TableWriter(.k16, .bits48, vaBits: 47, root: ShapedKernel.root, firstTable: 0x4110_0000)
    let text: UInt64 = 0xffff_d000_0020_0000
    writer.map(text, to: ShapedKernel.textPhysical, attributes: 0x0040_0000_0000_0780)
    for lines in [[], ["NUMBER(TCR_EL1_T1SZ)=0x11"]] {
      var shaped = ShapedKernel(.k16, .bits48, tableBits: 48, vaBits: 52)
      let offset = text - ShapedKernel.textPhysical
      shaped.writer = writer
      shaped.vmcoreinfo = [
        "OSRELEASE=6.12.0-shaped", "PAGESIZE=16384", "NUMBER(VA_BITS)=52",
        "SYMBOL(swapper_pg_dir)=\(String(ShapedKernel.root &+ offset, radix: 16))",
        "SYMBOL(_stext)=\(String(text, radix: 16))", "NUMBER(kimage_voffset)=0x\(String(offset, radix: 16))",
      ]
      shaped.vmcoreinfo += lines
      let kernel = try kernel(shaped)
      #expect(kernel.facts.vaBits.value == 52 && kernel.facts.vaBitsActual.value == 47 && kernel.facts.vaBitsMin == 47)
      #expect(kernel.regime.startLevel == 1 && kernel.regime.rootEntries == 2048)
      #expect(kernel.regime.format == .bits48(.sixteenKiB))
      #expect(kernel.translate(VirtualAddress(text + 5)).leaf?.physical == PhysicalAddress(0x4020_0005))
    }
  }

  @Test("5.0 to 5.3 with 52 bits for user space alone: VA_BITS is 48, the tables have the shape of 52")
  func userWidthOf52() throws {
    let shaped = ShapedKernel(.k64, .lpa, tableBits: 52, vaBits: 48)
    let kernel = try kernel(shaped)
    #expect(kernel.facts.vaBits.value == 48 && kernel.facts.vaBitsActual.value == 48)
    #expect(kernel.regime.tableBits == 52 && kernel.regime.addressBits == 48 && kernel.regime.rootEntries == 1024)
    expectText(kernel)
  }

  @Test("The variable vabits_actual comes after TCR_EL1 and before the tables")
  func byVariable() throws {
    // Three words into the text's page; 4.19 to 6.8 keep it in the image.
    let map =
      "\(String(ShapedKernel.text, radix: 16)) T _stext\n\(String(ShapedKernel.text + 24, radix: 16)) D vabits_actual\n"
    var shaped = ShapedKernel(.k64, .lpa, tableBits: 52, vaBits: 52)
    shaped.textWords = [1, 2, 3, 48]
    // By the root alone it would be 52.
    shaped.writer.map(0xfff0_0000_4020_0000, to: 0x4020_0000, attributes: 0x0060_0000_0000_0700)
    #expect(try kernel(shaped).facts.vaBitsActual.value == 52)
    #expect(try kernel(shaped, systemMap: map).facts.vaBitsActual.value == 48)
    // What no width can be is not believed.
    for word in [0, 16, 53, 1 << 40, .max] as [UInt64] {
      shaped.textWords[3] = word
      #expect(try kernel(shaped, systemMap: map).facts.vaBitsActual.value == 52, "\(word)")
    }
    shaped.textWords[3] = 48
    shaped.vmcoreinfo.append("NUMBER(TCR_EL1_T1SZ)=0xc")
    #expect(try kernel(shaped, systemMap: map).facts.vaBitsActual.value == 52)
  }

  @Test(
    "A T1SZ that VA_BITS does not allow is told, and left out", arguments: [0, 12, 15, 17, 22, 25, 49, 63, 64, 200])
  func oddT1SZ(size: Int) throws {
    var shaped = ShapedKernel(.k4, .bits48, tableBits: 48, vaBits: 48)
    shaped.vmcoreinfo.append("NUMBER(TCR_EL1_T1SZ)=\(size)")
    let kernel = try kernel(shaped)
    #expect(kernel.facts.vaBitsActual.value == 48)
    #expect(kernel.warnings.contains { $0.text.contains("TCR_EL1_T1SZ") }, "\(kernel.warnings)")
    #expect(
      kernel.translate(VirtualAddress(ShapedKernel.text)).leaf?.physical == PhysicalAddress(ShapedKernel.textPhysical))
  }

  @Test("MAX_PHYSMEM_BITS bounds what entries may lead to")
  func physicalBits() throws {
    var shaped = ShapedKernel(.k4, .bits48, tableBits: 48, vaBits: 48)
    shaped.writer.map(ShapedKernel.text + 0x1000, to: 1 << 44, attributes: 0x0060_0000_0000_0700)
    let address = VirtualAddress(ShapedKernel.text + 0x1000)
    #expect(try kernel(shaped).facts.physicalBits == nil)
    #expect(try kernel(shaped).translate(address).leaf?.physical == PhysicalAddress(1 << 44))
    for (bits, isAllowed) in [(44, false), (45, true), (48, true)] {
      var limited = shaped
      limited.vmcoreinfo.append("NUMBER(MAX_PHYSMEM_BITS)=\(bits)")
      let kernel = try kernel(limited)
      #expect(kernel.facts.physicalBits?.value == bits)
      #expect((kernel.translate(address).leaf != nil) == isAllowed, "\(bits)")
    }
    for bits in [0, 31, 53, 64, -1] {
      var odd = shaped
      odd.vmcoreinfo.append("NUMBER(MAX_PHYSMEM_BITS)=\(bits)")
      let kernel = try kernel(odd)
      #expect(kernel.facts.physicalBits == nil)
      #expect(kernel.warnings.count == 1, "\(bits): \(kernel.warnings)")
    }
  }

  @Test("What is given on the command line comes before what VMCOREINFO says")
  func overrides() throws {
    var shaped = ShapedKernel(.k4, .bits48, tableBits: 48, vaBits: 48)
    // Every line of the note is wrong.
    shaped.vmcoreinfo = [
      "OSRELEASE=6.12.0-shaped", "PAGESIZE=65536", "NUMBER(VA_BITS)=42", "NUMBER(PHYS_OFFSET)=0x80000000",
      "SYMBOL(swapper_pg_dir)=ffff900000200000", "SYMBOL(_stext)=\(String(ShapedKernel.text, radix: 16))",
      "NUMBER(kimage_voffset)=0xffff8fffc0001000",
    ]
    var overrides = KernelOverrides()
    overrides.pageSize = 4096
    overrides.vaBits = 48
    overrides.physOffset = 0x4000_0000
    overrides.kimageVoffset = ShapedKernel.kimageVoffset
    // Bit 55 tells a virtual address from a physical one.
    for root in [ShapedKernel.root, ShapedKernel.root &+ ShapedKernel.kimageVoffset] {
      overrides.swapperPgDir = root
      let kernel = try kernel(shaped, overrides: overrides)
      #expect(kernel.facts.granule.value == .fourKiB && kernel.facts.vaBits.value == 48)
      #expect(kernel.facts.physOffset?.value == 0x4000_0000)
      #expect(kernel.facts.kimageVoffset?.value == ShapedKernel.kimageVoffset)
      #expect(kernel.facts.swapperPhysical.value == PhysicalAddress(ShapedKernel.root))
      #expect(kernel.facts.swapperVirtual?.value == (root >> 55 & 1 == 1 ? VirtualAddress(root) : nil))
      #expect(
        kernel.translate(VirtualAddress(ShapedKernel.text + 1)).leaf?.physical
          == PhysicalAddress(ShapedKernel.textPhysical + 1))
    }
  }

  @Test("Tables that do not have the text where kimage_voffset puts it are told")
  func refuted() throws {
    var shaped = ShapedKernel(.k4, .bits48, tableBits: 48, vaBits: 48)
    shaped.writer.map(ShapedKernel.text, to: ShapedKernel.textPhysical + 0x1000, attributes: 0x0040_0000_0000_0780)
    let kernel = try kernel(shaped)
    #expect(kernel.warnings.contains { $0.text.contains("answers may be wrong") }, "\(kernel.warnings)")
  }
}
