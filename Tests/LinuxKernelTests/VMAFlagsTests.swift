import KernelVA
import Testing

/// The numbers of VM_ flags, by include/linux/mm.h of each version.
@Suite struct VMAFlagsTests {
  @Test(
    "A bit has the name of its version",
    arguments: [
      (5, 4, 11, "VM_DENYWRITE"), (5, 15, 11, "bit 11"), (7, 2, 11, "VM_MAYBE_GUARD"), (5, 4, 24, "VM_ARCH_1"),
      (6, 1, 24, "VM_ARM64_BTI"), (6, 1, 32, "VM_MTE"), (6, 1, 33, "VM_MTE_ALLOWED"), (6, 12, 32, "VM_PKEY_BIT0"),
      (6, 12, 36, "VM_MTE"), (6, 12, 37, "VM_MTE_ALLOWED"), (6, 1, 37, "VM_UFFD_MINOR"), (6, 12, 38, "VM_UFFD_MINOR"),
      (7, 2, 38, "VM_SHADOW_STACK"), (7, 2, 41, "VM_UFFD_MINOR"), (6, 12, 40, "VM_DROPPABLE"), (6, 12, 63, "VM_SEALED"),
      (7, 2, 42, "VM_SEALED"), (6, 1, 20, "VM_ACCOUNT"), (6, 1, 50, "bit 50"),
    ] as [(Int, Int, UInt64, String)])
  func names(major: Int, minor: Int, bit: UInt64, name: String) {
    #expect(VMAFlags([], KernelVersion(major, minor)).names(1 << bit) == [name])
  }

  @Test("Without a version only what never changed has a name")
  func unknownVersion() {
    #expect(VMAFlags([], nil).names(1 | 1 << 11 | 1 << 32) == ["VM_READ", "bit 11", "bit 32"])
  }

  @Test("The kernel's own constants come before its version")
  func constants() {
    let own: [(name: String, value: Int64)] = [
      ("VMA_READ_BIT", 0), ("VMA_SEALED_BIT", 43), ("VMA_HIGH_ARCH_4_BIT", 36), ("VMA_MTE_BIT", 36), ("NR_VMA_BITS", 5),
      ("VMA_ODD_BIT", 64),
    ]
    let flags = VMAFlags(own, KernelVersion(7, 2))
    // By the version bit 42 would be SEALED, 36 MTE.
    #expect(flags.names(1 | 1 << 36 | 1 << 42 | 1 << 43) == ["VM_READ", "VM_MTE", "bit 42", "VM_SEALED"])
  }
}
