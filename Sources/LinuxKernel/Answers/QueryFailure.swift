import Bytes

/// Why a query leads to no address.
public struct QueryFailure: Error, Sendable {
  /// `badQuery`, `unknownSymbol`, or `unmapped` for a physical address that the kernel maps nowhere.
  public let status: Resolution.Status
  /// What is wrong.
  public let diagnostic: Diagnostic
  /// What is wrong, in one line.
  package var message: String { diagnostic.text }

  init(_ status: Resolution.Status, _ diagnostic: Diagnostic) {
    self.status = status
    self.diagnostic = diagnostic
  }
}
