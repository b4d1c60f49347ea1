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
