import GDBServer
import KernelVA

/// A client at the other end of a pipe or socket.
struct ClientConnection: GDBTransport {
  /// The descriptor to read from.
  let input: Int32
  /// The descriptor to write to.
  let output: Int32

  /// The most that is read at once.
  private static let pieceBytes = 64 << 10

  func receive(into bytes: inout [UInt8]) -> Bool {
    SystemCall.read(Self.pieceBytes, from: input, to: &bytes) > 0
  }

  func send(_ bytes: RawSpan) -> Bool { SystemCall.write(bytes, to: output) == nil }
}
