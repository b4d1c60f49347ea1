/// A part of the kernel's address space, by the name that kva prints.
public enum Region: String, Hashable, Sendable, CaseIterable {
  /// The lower half.
  case user
  /// All of RAM at a constant offset (PAGE_OFFSET to PAGE_END).
  case linearMap = "linear map"
  /// KASAN's shadow memory.
  case kasanShadow = "kasan shadow"
  /// Compiled BPF programs (5.0 to 5.16).
  case bpfJIT = "bpf jit"
  /// Kernel modules.
  case modules
  /// The kernel's text and data.
  case kernelImage = "kernel image"
  /// vmalloc, ioremap, stacks.
  case vmalloc
  /// The array of struct page.
  case vmemmap
  /// Mappings at addresses fixed when the kernel was built.
  case fixmap
  /// PCI I/O space.
  case pciIO = "pci io"
  /// Left unmapped between two regions.
  case guardRegion = "guard"
  /// Unused.
  case hole
  /// Addresses of KVM's code at EL2, which has tables of its own.
  case hypervisor
  /// Beyond the width of the tables.
  case notCanonical = "not canonical"
}
