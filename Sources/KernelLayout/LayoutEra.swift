import VMSA

/// A span of kernel versions that divide the address space alike.
///
/// Each era is one value of `LayoutEra.all`. Versions name it; what decides is evidence in the dump.
/// (arch/arm64/include/asm/memory.h, pgtable.h and fixmap.h of v4.19, v5.1, v5.4, v5.10, v5.11, v6.1, v6.8
/// and v6.12.)
public struct LayoutEra: Hashable, Sendable {
  /// The first version that has it: major and minor.
  public let since: KernelVersion
  /// The versions in words.
  public let name: String
  /// Which half of the kernel's space the linear map has: the image and vmalloc have the other. They were
  /// exchanged in 5.4 (14c127c957c1 "arm64: mm: Flip kernel VA space").
  package let linearMap: Half
  /// Bytes of the BPF JIT region in front of the modules: 5.0 (91fc957c9b1d) to 5.16 (b89ddf4cca43).
  package let bpfJITSize: UInt64
  /// MODULES_VSIZE.
  package let modulesSize: UInt64
  /// Where the shadow of KASAN is.
  package let kasan: KASANPlace
  /// How the top of the space, from VMALLOC_END on, is divided.
  package let top: Top
  /// Lines of VMCOREINFO that kernels of this era have, and those before it do not.
  package let hasLine: String?

  package enum Half: Sendable { case lower, upper }

  package enum KASANPlace: Sendable {
    /// At the bottom of the space, the modules above it.
    case bottom
    /// At the bottom of the upper half, the modules above it (5.4 to 5.10).
    case aboveLinearMap
    /// At the top of the lower half, taken from the linear map (5.11, f4693c2716b3).
    case insideLinearMap
  }

  package enum Top: Sendable {
    /// vmemmap ends where the linear map begins.
    case belowLinearMap
    /// vmemmap ends 2 MiB below the end of the space (5.4).
    case twoMiBGuards
    /// vmemmap is the linear map shifted right (5.11, 8c96400d6a39).
    case shiftedLinearMap
    /// vmemmap ends 1 GiB below the end, PCI I/O and fixmap above it (6.9, 031e011d8b22).
    case vmemmapBelowPCI
  }

  /// All eras, the newest first.
  public static let all: [LayoutEra] = [
    LayoutEra(
      since: KernelVersion(6, 9), name: "6.9 and later", linearMap: .lower, bpfJITSize: 0,
      modulesSize: 2 << 30, kasan: .insideLinearMap, top: .vmemmapBelowPCI, hasLine: "NUMBER(MODULES_VADDR)"),
    LayoutEra(
      since: KernelVersion(6, 5), name: "6.5 to 6.8", linearMap: .lower, bpfJITSize: 0,
      modulesSize: 2 << 30, kasan: .insideLinearMap, top: .shiftedLinearMap, hasLine: "NUMBER(MODULES_VADDR)"),
    LayoutEra(
      since: KernelVersion(5, 17), name: "5.17 to 6.4", linearMap: .lower, bpfJITSize: 0,
      modulesSize: 128 << 20, kasan: .insideLinearMap, top: .shiftedLinearMap,
      hasLine: "OFFSET(uts_namespace.name)"),
    LayoutEra(
      since: KernelVersion(5, 11), name: "5.11 to 5.16", linearMap: .lower, bpfJITSize: 128 << 20,
      modulesSize: 128 << 20, kasan: .insideLinearMap, top: .shiftedLinearMap,
      hasLine: "OFFSET(uts_namespace.name)"),
    LayoutEra(
      since: KernelVersion(5, 4), name: "5.4 to 5.10", linearMap: .lower, bpfJITSize: 128 << 20,
      modulesSize: 128 << 20, kasan: .aboveLinearMap, top: .twoMiBGuards, hasLine: nil),
    LayoutEra(
      since: KernelVersion(5, 0), name: "5.0 to 5.3", linearMap: .upper, bpfJITSize: 128 << 20,
      modulesSize: 128 << 20, kasan: .bottom, top: .belowLinearMap, hasLine: nil),
    LayoutEra(
      since: KernelVersion(4, 6), name: "4.6 to 4.20", linearMap: .upper, bpfJITSize: 0,
      modulesSize: 128 << 20, kasan: .bottom, top: .belowLinearMap, hasLine: nil),
  ]
}

/// The first two numbers of a kernel version.
public struct KernelVersion: Hashable, Comparable, Sendable {
  /// The first number.
  public let major: Int
  /// The second number.
  public let minor: Int
  /// Makes a version.
  public init(_ major: Int, _ minor: Int) {
    self.major = major
    self.minor = minor
  }
  /// Reads the beginning of a release such as "6.1.0-56-cloud-arm64".
  public init?(release: String) {
    let parts = release.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1].prefix(while: \.isNumber)) else {
      return nil
    }
    self.init(major, minor)
  }
  /// Older before newer.
  public static func < (a: Self, b: Self) -> Bool { (a.major, a.minor) < (b.major, b.minor) }
}
