import Testing
import VMSA

@testable import KernelLayout
@testable import LinuxKernel

/// Registers that the kernel programs by what the hardware has.
@Suite struct RegisterRulesTests {
  private let version = KernelVersion(7, 3)

  /// What emulated machines held: 0x40044ffff without MTE, 0x40044f0ff with it, both under 7.3.
  @Test("MAIR_EL1 has tagged memory at index 1 on CPUs with MTE, which the log says")
  func mair() throws {
    let base = try #require(LinuxMAIR.mair(version, imageIndex: 0))
    let with = LinuxMAIR(base, version, hasMTE: true)
    #expect(with.register.value.rawValue == 0x4_0044_f0ff && with.known == .max)
    #expect(with.register.value.memoryType(1) == .normalTagged)
    let without = LinuxMAIR(base, version, hasMTE: false)
    #expect(without.register.value.rawValue == 0x4_0044_ffff && without.known == .max)
    let unknown = LinuxMAIR(base, version, hasMTE: nil)
    #expect(unknown.register.value.rawValue & unknown.known == 0x4_0044_00ff && unknown.known == ~0xff00)
    // 5.4 has no tagged memory, and another order.
    let old = try #require(LinuxMAIR.mair(KernelVersion(5, 4), imageIndex: 4))
    #expect(LinuxMAIR(old, KernelVersion(5, 4), hasMTE: nil).known == .max)
  }

  /// TCR_EL2 0x80843510 and HCR_EL2 0x80000000 (nVHE), 0x45000757591b510 and 0x480080001 (hVHE): what emulated machines
  /// held; PS and IPS are 4 and 5.
  @Test("The size of physical addresses is in TCR_EL2 where HCR_EL2.E2H puts it")
  func tcr() {
    func tcr(_ value: UInt64, _ hcr: UInt64, _ size: UInt64?) -> Sourced<UInt64> {
      HypervisorRegistersReader.withPhysicalSize(Sourced(value, "read"), hcr: hcr, size: size)
    }
    #expect(tcr(0x8080_3510, 0x8000_0000, 4).value == 0x8084_3510)
    #expect(tcr(0x8084_3510, 0x8000_0000, nil) == Sourced(0x8084_3510, "read"))
    #expect(tcr(0x8080_3510, 0x8000_0000, nil).source.contains("without PS"))
    // T1SZ is 17, the bits that PS would be among them; IPS is there already.
    #expect(tcr(0x0450_0075_7591_b510, 0x4_8008_0001, 4) == Sourced(0x0450_0075_7591_b510, "read"))
    #expect(tcr(0x0450_0070_7591_b510, 0x4_8008_0001, 5).value == 0x0450_0075_7591_b510)
  }

  /// __end_of_fixed_addresses by hand from enum fixed_addresses (asm/fixmap.h), 4 KiB pages: 517 slots up to the page for
  /// patching code, 513 for VNCR pages (NR_CPUS 512), 4 for GHES and SDEI, 4 for the trampoline, 448 or 455 for booting,
  /// 5 for tables.
  @Test(
    "The fixmap of kernel_page_tables begins where the version and the trampoline's slot say",
    arguments: [
      (7, 3, 1037, 513, 1498), (7, 2, 1037, 513, 1491), (7, 3, nil, 513, 1494), (6, 18, nil, 0, 974),
      (6, 12, 520, 513, 981), (6, 8, 520, 513, 974),
    ] as [(Int, Int, UInt64?, UInt64, UInt64)])
  func fixmap(_ major: Int, _ minor: Int, _ trampoline: UInt64?, _ nested: UInt64, _ pages: UInt64) {
    let version = KernelVersion(major, minor)
    let style = ListingStyle(
      era: LayoutEra.of(version), version: version, fixmap: .init(trampoline: trampoline, nested: nested))
    #expect(style.fixmapPages(.fourKiB) == pages)
    // 64 KiB: 37 slots up to the page for patching code, 4 or 5 a slot for booting.
    if trampoline == nil, nested == 0 { #expect(style.fixmapPages(.sixtyFourKiB) == 37 + 4 + 28 + 5) }
  }

  @Test("BLK is for blocks alone since 6.15")
  func blocks() {
    func line(_ minor: Int, _ bits: UInt64) -> String {
      let version = KernelVersion(6, minor)
      let style = ListingStyle(era: LayoutEra.of(version), version: version, fixmap: .init(trampoline: nil, nested: 0))
      return ListingWriter.text(0, 0x20_0000, level: 2, rootLevel: 0, bits, style, nil)
    }
    #expect(line(12, 0x60_0000_0000_0704).contains(" BLK ") && !line(18, 0x60_0000_0000_0704).contains("BLK"))
    #expect(line(12, 0x60_0000_0000_0705).contains(" BLK ") && line(18, 0x60_0000_0000_0705).contains(" BLK "))
    #expect(!line(12, 0x60_0000_0000_0707).contains("BLK") && !line(18, 0x60_0000_0000_0707).contains("BLK"))
    #expect(line(12, 0x60_0000_0000_0704).count == line(18, 0x60_0000_0000_0704).count)
  }
}
