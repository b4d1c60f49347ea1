import VMSA

/// A value and where it was learnt.
public struct Sourced<Value: Sendable>: Sendable {
  /// The value.
  public let value: Value
  /// Its source in words, such as "VMCOREINFO NUMBER(VA_BITS)".
  public let source: String
  /// Joins a value with its source.
  public init(_ value: Value, _ source: String) {
    self.value = value
    self.source = source
  }
}

extension Sourced: Equatable where Value: Equatable {}

/// Facts that the user gives instead of those of a dump that lacks them or has them wrong.
public struct KernelOverrides: Sendable {
  /// CONFIG_ARM64_VA_BITS.
  public var vaBits: Int?
  /// Virtual minus physical address of the kernel image.
  public var kimageVoffset: UInt64?
  /// The physical address that PAGE_OFFSET would have.
  public var physOffset: UInt64?
  /// swapper_pg_dir: virtual when bit 55 is set, else physical.
  public var swapperPgDir: UInt64?
  /// PAGE_SIZE in bytes.
  public var pageSize: UInt64?
  /// Overrides nothing.
  public init() {}

  /// Whether nothing is overridden.
  var isEmpty: Bool {
    vaBits == nil && kimageVoffset == nil && physOffset == nil && swapperPgDir == nil && pageSize == nil
  }
}

/// What has to be known of a kernel to read its tables, each with its source.
public struct KernelFacts: Sendable {
  /// The translation granule of the kernel (PAGE_SIZE).
  public let granule: Sourced<Granule>
  /// The configured width of virtual addresses (VA_BITS).
  public let vaBits: Sourced<Int>
  /// The width that every CPU must have for the kernel to run (VA_BITS_MIN).
  public let vaBitsMin: Int
  /// The width in use (vabits_actual).
  public let vaBitsActual: Sourced<Int>
  /// The width of physical addresses (MAX_PHYSMEM_BITS), where the dump tells it.
  public let physicalBits: Sourced<Int>?
  /// How far KASLR moved the kernel image.
  public let kaslrOffset: Sourced<UInt64>?
  /// Virtual minus physical address of the kernel image, modulo 2^64 (kimage_voffset).
  public let kimageVoffset: Sourced<UInt64>?
  /// The physical address that PAGE_OFFSET would have, modulo 2^64; it need not be RAM (memstart_addr).
  public let physOffset: Sourced<UInt64>?
  /// The virtual address of the kernel's root table; nil when only the physical one is known.
  public let swapperVirtual: Sourced<VirtualAddress>?
  /// The physical address of the kernel's root table (swapper_pg_dir).
  public let swapperPhysical: Sourced<PhysicalAddress>
  /// `uname -r`.
  public let release: Sourced<String>?
  /// The GNU build-ID of the kernel in hex.
  public let buildID: Sourced<String>?
  /// When it crashed, in seconds since 1970.
  public let crashTime: Sourced<UInt64>?
}
