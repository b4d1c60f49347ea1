import GDBServer
import KernelVA

/// The input is what a client of the GDB remote serial protocol sends after it has turned checksums off.
@Sendable func fuzzRemote(_ bytes: [UInt8]) {
  let server = GDBServer(queriedKernel, monitor: { Array($0.utf8) }, report: { _ in })
  let client = FuzzedClient(Array("$QStartNoAckMode#b0".utf8) + bytes)
  server.serve(client)
  precondition(client.sent.starts(with: "+$OK#9a".utf8), "the first packet is answered")
}

/// Sends all at once, and keeps what it gets.
private final class FuzzedClient: GDBTransport {
  private var unsent: [UInt8]
  private(set) var sent: [UInt8] = []

  init(_ bytes: [UInt8]) { unsent = bytes }

  func receive(into bytes: inout [UInt8]) -> Bool {
    defer { unsent = [] }
    bytes += unsent
    return !unsent.isEmpty
  }

  func send(_ bytes: RawSpan) -> Bool {
    for index in 0..<min(bytes.byteCount, 64) { sent.append(bytes.integer(UInt8.self, at: index) ?? 0) }
    return true
  }
}
