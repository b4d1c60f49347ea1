import Bytes
import DebugInfo

/// An open socket.
package struct OpenSocket: Sendable {
  /// The address family without AF_: "INET", "UNIX"; its number if it has no name here.
  package let family: String
  /// "stream", "dgram" and so on; its number if it has no name here.
  package let type: String
  /// The protocol: "TCP", "UDP"; nil if the family has only one, or it is unknown.
  package let `protocol`: String?
  /// The connection state; nil for families without one.
  package let state: String?
  /// Its own address and port, or path; nil if it has none.
  package let local: String?
  /// Those of the peer; nil if it has none.
  package let remote: String?
}

/// Reads the sockets behind files. (`struct socket`, include/linux/net.h; `struct sock_common`, include/net/sock.h)
struct OpenSocketReader: Sendable {
  private let memory: KernelMemory
  private let inode: TypeMember
  private let mode: TypeMember
  private let privateData: TypeMember
  private let sock: TypeMember
  private let family: TypeMember
  private let state: TypeMember?
  private let type: TypeMember?
  private let number: TypeMember?
  private let localPort: TypeMember?
  private let remotePort: TypeMember?
  private let local4: TypeMember?
  private let remote4: TypeMember?
  private let local6: TypeMember?
  private let remote6: TypeMember?
  private let unixAddress: TypeMember?
  private let unixPeer: TypeMember?
  private let unixLength: TypeMember?
  private let unixName: TypeMember?
  private let netlinkPort: TypeMember?
  private let packetInterface: TypeMember?

  /// nil if the types are unknown.
  init?(_ memory: KernelMemory, _ types: KernelTypes) {
    func common(_ name: String) -> TypeMember? { types.member("__sk_common." + name, of: "sock") }
    guard let inode = types.member("f_inode", of: "file"), let mode = types.member("i_mode", of: "inode"),
      let privateData = types.member("private_data", of: "file"), let sock = types.member("sk", of: "socket"),
      let family = common("skc_family")
    else { return nil }
    self.memory = memory
    self.inode = inode
    self.mode = mode
    self.privateData = privateData
    self.sock = sock
    self.family = family
    state = common("skc_state")
    type = types.member("sk_type", of: "sock")
    number = types.member("sk_protocol", of: "sock")
    localPort = common("skc_num")
    remotePort = common("skc_dport")
    local4 = common("skc_rcv_saddr")
    remote4 = common("skc_daddr")
    local6 = common("skc_v6_rcv_saddr")
    remote6 = common("skc_v6_daddr")
    unixAddress = types.member("addr", of: "unix_sock")
    unixPeer = types.member("peer", of: "unix_sock")
    unixLength = types.member("len", of: "unix_address")
    unixName = types.member("name", of: "unix_address")
    netlinkPort = types.member("portid", of: "netlink_sock")
    packetInterface = types.member("ifindex", of: "packet_sock")
  }

  private func view(_ address: UInt64) -> StructView { StructView(space: memory, address: address) }

  /// The socket of the `struct file` at `file`; nil if it is not one, or it cannot be read.
  func socket(ofFile file: UInt64) -> OpenSocket? {
    // S_IFSOCK
    guard let inode = view(file).pointer(inode), inode != 0, let mode = view(inode).number(mode),
      mode & 0o170000 == 0o140000, let socket = view(file).pointer(privateData), socket != 0,
      let sock = view(socket).pointer(sock), sock != 0, let family = view(sock).number(family)
    else { return nil }
    return describe(view(sock), Int(family))
  }

  private func describe(_ sock: StructView, _ family: Int) -> OpenSocket {
    let number = sock.number(number).map { Int(clamping: $0) }
    let name = Self.families[family] ?? "\(family)"
    let type = sock.number(type).map { Self.types[Int(clamping: $0)] ?? "\($0)" } ?? "?"
    var state: String?
    var local: String?
    var remote: String?
    var known: String?
    switch family {
    case 2, 10:
      known = number.map { Self.protocols[$0] ?? "\($0)" }
      state = sock.number(self.state).flatMap { Self.states[Int(clamping: $0)] }
      let (own, other) = family == 2 ? (local4, remote4) : (local6, remote6)
      let ports = (
        sock.number(localPort), sock.number(remotePort).map { UInt64(UInt16(truncatingIfNeeded: $0).byteSwapped) }
      )
      local = address(sock, own, ports.0)
      // Both are 0 if it is not connected.
      remote = ports.1 == 0 ? nil : address(sock, other, ports.1)
    case 1:
      state = sock.number(self.state).flatMap { Self.states[Int(clamping: $0)] }
      local = path(sock)
      remote = sock.pointer(unixPeer).flatMap { $0 == 0 ? nil : path(view($0)) }
    case 16:
      known = number.map { Self.netlink[$0] ?? "\($0)" }
      local = sock.number(netlinkPort).map { "\($0)" }
    case 17:
      // The protocol of AF_PACKET is an EtherType.
      known = number.map { "0x" + String(UInt16(truncatingIfNeeded: $0).byteSwapped, radix: 16) }
      local = sock.number(packetInterface).flatMap { $0 == 0 ? nil : "interface \($0)" }
    default: break
    }
    return OpenSocket(family: name, type: type, protocol: known, state: state, local: local, remote: remote)
  }

  private func address(_ sock: StructView, _ member: TypeMember?, _ port: UInt64?) -> String? {
    guard let member, member.size == 4 || member.size == 16, let port,
      let bytes = memory.bytes(at: sock.address &+ UInt64(member.offset), count: member.size)
    else { return nil }
    return InternetAddress.text(bytes, port: port)
  }

  /// The path, or an abstract name, whose leading NUL is shown as @. (`unix_seq_show`, net/unix/af_unix.c)
  private func path(_ sock: StructView) -> String? {
    guard let address = sock.pointer(unixAddress), address != 0, let length = view(address).number(unixLength),
      let unixName, 3...110 ~= length,
      let bytes = memory.bytes(at: address &+ UInt64(unixName.offset) &+ 2, count: Int(length) - 2)
    else { return nil }
    guard bytes[0] == 0 else { return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
    return String(decoding: bytes.map { $0 == 0 ? UInt8(ascii: "@") : $0 }, as: UTF8.self)
  }

  private static let families = [
    1: "UNIX", 2: "INET", 10: "INET6", 15: "KEY", 16: "NETLINK", 17: "PACKET", 29: "CAN", 30: "TIPC", 31: "BLUETOOTH",
    38: "ALG", 39: "NFC", 40: "VSOCK", 42: "QIPCRTR", 43: "SMC", 44: "XDP",
  ]
  private static let types = [1: "stream", 2: "dgram", 3: "raw", 4: "rdm", 5: "seqpacket", 6: "dccp", 10: "packet"]
  private static let protocols = [
    0: "IP", 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 33: "DCCP", 58: "ICMPv6", 132: "SCTP", 136: "UDPLITE",
    255: "RAW", 262: "MPTCP",
  ]
  private static let netlink = [
    0: "ROUTE", 2: "USERSOCK", 4: "SOCK_DIAG", 6: "XFRM", 7: "SELINUX", 9: "AUDIT", 12: "NETFILTER",
    15: "KOBJECT_UEVENT", 16: "GENERIC", 18: "SCSITRANSPORT", 21: "CRYPTO",
  ]
  /// include/net/tcp_states.h
  private static let states = [
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT", 7: "CLOSE",
    8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "NEW_SYN_RECV",
  ]
}

/// IP addresses and ports as text.
enum InternetAddress {
  /// "192.0.2.1:80", or "[2001:db8::1]:80" by RFC 5952.
  ///
  /// - Parameter bytes: 4 or 16, in network byte order.
  static func text(_ bytes: [UInt8], port: UInt64) -> String {
    guard bytes.count == 16 else { return bytes.map(String.init).joined(separator: ".") + ":\(port)" }
    let groups = (0..<8).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
    if groups.prefix(5).allSatisfy({ $0 == 0 }), groups[5] == 0xffff {
      return "[::ffff:" + bytes.suffix(4).map(String.init).joined(separator: ".") + "]:\(port)"
    }
    // The longest run of at least two zeros, the first of equal ones.
    var longest = 0..<0
    var here = 0
    while here < 8 {
      let end = groups[here...].firstIndex { $0 != 0 } ?? 8
      if end - here > max(longest.count, 1) { longest = here..<end }
      here = end + 1
    }
    func words(_ range: Range<Int>) -> String {
      groups[range].map { String($0, radix: 16) }.joined(separator: ":")
    }
    let text = longest.isEmpty ? words(0..<8) : words(0..<longest.lowerBound) + "::" + words(longest.upperBound..<8)
    return "[\(text)]:\(port)"
  }
}
