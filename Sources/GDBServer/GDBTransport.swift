import Bytes

/// A connection to a client, whatever carries it.
public protocol GDBTransport {
  /// Waits for bytes and adds them to the end of `bytes`.
  ///
  /// - Returns: false when the client has gone.
  func receive(into bytes: inout [UInt8]) -> Bool

  /// Sends all of `bytes`.
  ///
  /// - Returns: false when the client has gone.
  func send(_ bytes: [UInt8]) -> Bool
}
