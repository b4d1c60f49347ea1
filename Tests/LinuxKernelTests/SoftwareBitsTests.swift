import LinuxKernel
import Testing
import VMSA

/// Linux's use of bits 58:55 of a leaf. (arch/arm64/include/asm/pgtable-prot.h, 6.10: PTE_DIRTY, PTE_SPECIAL,
/// PTE_DEVMAP, PTE_UFFD_WP)
@Suite struct SoftwareBitsTests {
  @Test(arguments: [
    (UInt64(55), SoftwareBits.dirty), (56, .special), (57, .devmap), (58, .userfaultWriteProtect),
  ])
  func eachBitIsLinuxes(_ bit: UInt64, _ meaning: SoftwareBits) {
    #expect(Attributes(Descriptor(rawValue: 1 << bit)).software == meaning)
    #expect(Attributes(Descriptor(rawValue: ~(1 << bit))).software.contains(meaning) == false)
  }

  @Test func otherBitsAreNot() {
    #expect(Attributes(Descriptor(rawValue: ~(0xf << 55))).software == [])
    #expect(Attributes(Descriptor(rawValue: 0x00e8_0000_4123_4f03)).software == .dirty)  // PAGE_KERNEL, dirty
  }
}
