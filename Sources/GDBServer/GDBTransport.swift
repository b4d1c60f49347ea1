import Bytes

/// A connection to a client over any transport.
public protocol GDBTransport {
  /// Waits for bytes and appends them to `bytes`.
  ///
  /// - Returns: false when the client has gone.
  func receive(into bytes: inout [UInt8]) -> Bool

  /// Sends all of `bytes`.
  ///
  /// - Returns: false when the client has gone.
  func send(_ bytes: RawSpan) -> Bool
}
