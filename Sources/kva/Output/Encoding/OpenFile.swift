import KernelVA

extension Output {
  /// An open file as a JSON object.
  func openFileJSON(_ file: OpenFile) {
    jsonLine { object in
      object.number("fd", file.descriptor)
      object.hex("file", file.structure)
      object.string("path", file.path)
      object.hex("offset", file.offset)
      object.strings("flags", file.flagNames)
      if let socket = file.socket {
        object.object("socket") { part in
          part.string("family", socket.family)
          part.string("type", socket.type)
          part.string("protocol", socket.protocol)
          part.string("state", socket.state)
          part.string("local", socket.local)
          part.string("remote", socket.remote)
        }
      }
    }
  }

  /// Open files as a table.
  func openFileTable(_ files: [OpenFile]) {
    table(.right("FD"), .left("FILE"), .right("OFFSET"), .left("FLAGS"), .left("PATH")) { table in
      for file in files {
        table.row(
          "\(file.descriptor)", Words.hex(file.structure), Words.hex(file.offset),
          file.flagNames.map { String($0.dropFirst(2).lowercased()) }.joined(separator: ","),
          (file.path ?? "?") + (file.socket.map { " \(Words.socket($0))" } ?? ""))
      }
    }
  }
}

extension Words {
  /// A socket and its peer in one line.
  static func socket(_ socket: OpenSocket) -> String {
    var words = [
      socket.protocol.map { socket.family == "NETLINK" ? "NETLINK \($0)" : $0 } ?? "\(socket.family) \(socket.type)"
    ]
    words += [socket.local, socket.remote.map { "-> \($0)" }, socket.state].compactMap { $0 }
    return words.joined(separator: " ")
  }
}
