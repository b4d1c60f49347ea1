/// Facts given by the caller, for dumps that lack them or have them wrong.
public struct KernelOverrides: Sendable {
  /// A fact that can be overridden.
  package enum Fact: String, Hashable, Sendable, CaseIterable {
    /// `KernelOverrides.vaBits`.
    case vaBits
    /// `KernelOverrides.kimageVoffset`.
    case kimageVoffset
    /// `KernelOverrides.physOffset`.
    case physOffset
    /// `KernelOverrides.swapperPgDir`.
    case swapperPgDir
    /// `KernelOverrides.pageSize`.
    case pageSize
  }

  /// CONFIG_ARM64_VA_BITS.
  public var vaBits: Int?
  /// Virtual minus physical address of the kernel image.
  public var kimageVoffset: UInt64?
  /// The physical address that PAGE_OFFSET would have.
  public var physOffset: UInt64?
  /// swapper_pg_dir: virtual if bit 55 is set, else physical.
  public var swapperPgDir: UInt64?
  /// PAGE_SIZE in bytes.
  public var pageSize: UInt64?
  /// The name of each fact in messages and sources, such as the command's option that sets it; by default the property
  /// of this type.
  package var names: [Fact: String] = [:]

  /// Overrides nothing.
  public init() {}

  /// Whether nothing is overridden.
  var isEmpty: Bool {
    vaBits == nil && kimageVoffset == nil && physOffset == nil && swapperPgDir == nil && pageSize == nil
  }

  /// The name of `fact` in messages.
  func name(_ fact: Fact) -> String { names[fact] ?? "KernelOverrides.\(fact.rawValue)" }

  /// The source of an overridden fact.
  func provenance(_ fact: Fact) -> Provenance { .override(fact, name: name(fact)) }
}
