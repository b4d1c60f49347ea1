import Glibc

/// A listening TCP socket.
///
/// Safety: each address is passed with its true length in a variable that outlives the call, and is copied by the
/// kernel. The descriptor is opened once, closed once, and this type cannot be copied.
package struct TCPListener: ~Copyable {
  private let descriptor: Int32
  /// The port: what was asked for, or what the system chose if that was 0.
  package let port: UInt16

  /// Listens at an IPv4 address in its usual notation; clients that connect while one is served wait.
  ///
  /// - Throws: `LocatedError` naming `address:port` when nothing can listen there.
  package init(address: String, port: UInt16) throws(LocatedError) {
    let place = "\(address):\(port)"
    func failure(_ what: String) -> LocatedError {
      let code = errno
      return LocatedError(file: place, kind: .system(code), "\(what): \(SystemCall.reason(code))")
    }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    guard unsafe inet_pton(AF_INET, address, &name.sin_addr) == 1 else {
      throw LocatedError(file: place, kind: .malformed, "is no IPv4 address and port, as 127.0.0.1:1234")
    }
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw failure("no socket can be made") }
    var yes: Int32 = 1
    unsafe setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = unsafe withUnsafeMutablePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        guard unsafe bind(socket, generic, length) == 0, listen(socket, SOMAXCONN) == 0 else { return errno }
        return unsafe getsockname(socket, generic, &length) == 0 ? 0 : errno
      }
    }
    guard code == 0 else {
      close(socket)
      throw LocatedError(file: place, kind: .system(code), "cannot listen: \(SystemCall.reason(code))")
    }
    descriptor = socket
    self.port = UInt16(bigEndian: name.sin_port)
  }

  deinit { close(descriptor) }

  /// Waits for the next client.
  ///
  /// - Returns: its connection, which the caller closes; nil if no more can be accepted.
  package func accept() -> Int32? {
    while true {
      let client = Glibc.accept(descriptor, nil, nil)
      if client >= 0 {
        // Replies are small, and the client waits for each.
        var yes: Int32 = 1
        unsafe setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        return client
      }
      guard errno == EINTR || errno == ECONNABORTED else { return nil }
    }
  }
}
