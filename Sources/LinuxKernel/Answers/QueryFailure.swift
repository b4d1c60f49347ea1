/// Why a query leads to no address.
public struct QueryFailure: Error, Sendable {
  /// `badQuery`, `unknownSymbol`, or `unmapped` of a physical address that the kernel has nowhere.
  public let status: Resolution.Status
  /// What is wrong and what to do, in one line.
  public let message: String
}
