import KernelLayout
import VMSA

/// The facts about a kernel that are needed to read its tables, each with its source.
public struct KernelFacts: Sendable {
  /// The translation granule of the kernel (PAGE_SIZE).
  public let granule: Sourced<Granule>
  /// The configured width of virtual addresses (VA_BITS).
  public let vaBits: Sourced<Int>
  /// The width in use (vabits_actual).
  public let vaBitsActual: Sourced<Int>
  /// The width of physical addresses (MAX_PHYSMEM_BITS); nil if unknown.
  public let physicalBits: Sourced<Int>?
  /// The KASLR offset of the kernel image.
  public let kaslrOffset: Sourced<UInt64>?
  /// Virtual minus physical address of the kernel image, modulo 2^64 (kimage_voffset).
  public let kimageVoffset: Sourced<UInt64>?
  /// The physical address that PAGE_OFFSET would have, modulo 2^64; it need not be RAM (memstart_addr).
  public let physOffset: Sourced<UInt64>?
  /// The virtual address of the kernel's root table; nil if only the physical one is known.
  public let swapperVirtual: Sourced<VirtualAddress>?
  /// The physical address of the kernel's root table (swapper_pg_dir).
  public let swapperPhysical: Sourced<PhysicalAddress>
  /// `uname -r`.
  public let release: Sourced<String>?
  /// The kernel's GNU build ID in hex.
  public let buildID: Sourced<String>?
  /// The time of the crash, in seconds since 1970.
  public let crashTime: Sourced<UInt64>?

  /// Combines the known facts.
  init(
    granule: Sourced<Granule>, vaBits: Sourced<Int>, vaBitsActual: Sourced<Int>, physicalBits: Sourced<Int>?,
    kaslrOffset: Sourced<UInt64>?, kimageVoffset: Sourced<UInt64>?, physOffset: Sourced<UInt64>?,
    swapperVirtual: Sourced<VirtualAddress>?, swapperPhysical: Sourced<PhysicalAddress>, release: Sourced<String>?,
    buildID: Sourced<String>?, crashTime: Sourced<UInt64>?
  ) {
    self.granule = granule
    self.vaBits = vaBits
    self.vaBitsActual = vaBitsActual
    self.physicalBits = physicalBits
    self.kaslrOffset = kaslrOffset
    self.kimageVoffset = kimageVoffset
    self.physOffset = physOffset
    self.swapperVirtual = swapperVirtual
    self.swapperPhysical = swapperPhysical
    self.release = release
    self.buildID = buildID
    self.crashTime = crashTime
    // Parsed once, since version-dependent rules run for each answer.
    version = release.flatMap { KernelVersion(release: $0.value) }
  }

  /// The page size and the widths, and what follows from them.
  package var paging: PagingParameters {
    PagingParameters(granule: granule.value, vaBits: vaBits.value, vaBitsActual: vaBitsActual.value)
  }
  /// The width that every CPU must have for the kernel to run (VA_BITS_MIN).
  package var vaBitsMin: Int { paging.vaBitsMin }

  /// The version that the release begins with; nil if the release is unknown.
  public let version: KernelVersion?

  /// Whether the kernel's version has `change`; nil if unknown.
  func has(_ change: KernelChange) -> Bool? { version?.has(change) }
}
