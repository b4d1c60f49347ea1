import Foundation

/// A client of the GDB remote serial protocol, which asks all that it has to ask at once.
public enum RemoteProtocol {
  /// `payload` as a packet.
  public static func packet(_ payload: String) -> [UInt8] {
    let bytes = Array(payload.utf8)
    let sum = bytes.reduce(0) { ($0 + Int($1)) % 256 }
    return [0x24] + bytes + [0x23] + Array(String(format: "%02x", sum).utf8)
  }

  /// What a server answers to `payloads`, one reply each; acknowledgements are turned off first.
  public static func ask(_ arguments: [String], _ payloads: [String]) throws -> [[UInt8]] {
    var input = packet("QStartNoAckMode")
    for payload in payloads { input += packet(payload) }
    let result = try Kva.run(arguments, input: input)
    let replies = try packets(Array(result.output))
    guard replies.count == payloads.count + 1, replies[0] == Array("OK".utf8) else {
      throw TestSupportError("\(replies.count) replies to \(payloads.count + 1) packets: \(result.standardError)")
    }
    return Array(replies.dropFirst())
  }

  /// The payloads in what a server sent, their escapes undone.
  public static func packets(_ bytes: [UInt8]) throws -> [[UInt8]] {
    var found: [[UInt8]] = []
    var index = 0
    while index < bytes.count {
      guard bytes[index] == 0x24 else {
        index += 1
        continue
      }
      guard let end = bytes[index...].firstIndex(of: 0x23), end + 2 < bytes.count else {
        throw TestSupportError("a packet without an end")
      }
      let raw = bytes[(index + 1)..<end]
      let sum = raw.reduce(0) { ($0 + Int($1)) % 256 }
      guard Int(String(decoding: bytes[(end + 1)...(end + 2)], as: UTF8.self), radix: 16) == sum else {
        throw TestSupportError("a packet with a wrong checksum")
      }
      var payload: [UInt8] = []
      var isEscaped = false
      for byte in raw {
        if isEscaped {
          payload.append(byte ^ 0x20)
          isEscaped = false
        } else if byte == 0x7d {
          isEscaped = true
        } else {
          payload.append(byte)
        }
      }
      found.append(payload)
      index = end + 3
    }
    return found
  }
}
