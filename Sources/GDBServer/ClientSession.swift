import KernelVA

/// The state negotiated with one client, and the replies to its packets. (GDB manual, "Packets", "General Query
/// Packets"; lldb, docs/resources/lldbgdbremote.md)
final class ClientSession {
  let server: GDBServer
  /// Whether `+` and `-` are no longer sent.
  private(set) var acknowledgesNothing = false
  /// Whether the client has detached.
  private(set) var isOver = false
  /// Whether errors may carry text after a semicolon, in hex. (lldb, `QEnableErrorStrings`)
  private var hasErrorStrings = false
  /// Whether errors may be text. (gdb 16, `error-message+`)
  private var hasErrorMessages = false
  /// The thread whose registers and user memory are read.
  private var current: UInt64
  /// The number of threads listed so far by `qsThreadInfo`.
  private var listed = 0
  /// The last page reported as unreadable.
  private var reported: UInt64?

  init(_ server: GDBServer) {
    self.server = server
    current = server.threads.first
  }

  /// The reply to `request`; nil if there is none.
  ///
  /// - Parameter intermediate: sends a packet before the reply.
  func answer(_ request: Request, intermediate: ([UInt8]) -> Void) -> Reply? {
    var memory = request
    if memory.take("x") { return self.memory(&memory, isBinary: true) }
    if memory.take("m") { return self.memory(&memory, isBinary: false) }
    return payload(request, intermediate).map { .text($0) }
  }

  /// The reply to a `request` that is not for memory.
  private func payload(_ request: Request, _ intermediate: ([UInt8]) -> Void) -> [UInt8]? {
    var request = request
    guard let letter = request.rest.first else { return [] }
    switch letter {
    case UInt8(ascii: "q"), UInt8(ascii: "Q"), UInt8(ascii: "j"): return query(request, intermediate)
    case UInt8(ascii: "?"): return words(stopReply(server.threads.first))
    case UInt8(ascii: "H"): return select(request)
    case UInt8(ascii: "T"):
      return Hex.number(request.rest.dropFirst()).flatMap { server.threads[$0] } == nil ? error(3) : words("OK")
    case UInt8(ascii: "g"):
      _ = request.take("g")
      return registers(of: request.threadSuffix() ?? current)
    case UInt8(ascii: "p"): return register(&request)
    case UInt8(ascii: "D"), UInt8(ascii: "k"):
      isOver = true
      return letter == UInt8(ascii: "k") ? nil : words("OK")
    case UInt8(ascii: "M"), UInt8(ascii: "X"), UInt8(ascii: "G"), UInt8(ascii: "P"):
      return error(30, "this is a dump: nothing in it can be written")
    case UInt8(ascii: "c"), UInt8(ascii: "s"), UInt8(ascii: "C"), UInt8(ascii: "S"):
      return refusal(intermediate)
    case UInt8(ascii: "v"):
      // Only packets that would make the target run are refused; unknown ones get an empty reply.
      return request.take("vCont;") || request.take("vRun") || request.take("vAttach") ? refusal(intermediate) : []
    default: return []
    }
  }

  /// The reply to packets that would make the target run. An error would make lldb drop the connection, so it gets the
  /// reason as output and a report that the target has stopped again.
  private func refusal(_ intermediate: ([UInt8]) -> Void) -> [UInt8] {
    let reason = "this is a dump: nothing in it can run"
    guard hasErrorStrings else { return error(1, reason) }
    intermediate([UInt8(ascii: "O")] + Hex.text("\(reason)\n".utf8))
    return words(stopReply(current))
  }

  private func query(_ request: Request, _ intermediate: ([UInt8]) -> Void) -> [UInt8] {
    var request = request
    if request.take("qSupported") {
      hasErrorMessages = request.text.contains("error-message+")
      let size = Hex.text(UInt64(Limits.packetBytes))
      return words(
        "PacketSize=\(size);QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;qXfer:memory-map:read+;"
          + "binary-upload+" + (hasErrorMessages ? ";error-message+" : ""))
    }
    if request.take("QStartNoAckMode") {
      acknowledgesNothing = true
      return words("OK")
    }
    if request.take("QEnableErrorStrings") {
      hasErrorStrings = true
      return words("OK")
    }
    if request.take("QThreadSuffixSupported") || request.take("QListThreadsInStopReply") { return words("OK") }
    if request.take("qXfer:") { return document(&request) }
    if request.take("qfThreadInfo") {
      listed = 0
      return threadNumbers()
    }
    if request.take("qsThreadInfo") { return threadNumbers() }
    if request.take("qThreadExtraInfo,") {
      guard let thread = Hex.number(request.rest).flatMap({ server.threads[$0] }) else { return error(3) }
      return Hex.text("\(thread.name) (\(thread.details))".utf8)
    }
    if request.take("qThreadStopInfo") {
      guard let thread = Hex.number(request.rest).flatMap({ server.threads[$0] }) else { return error(3) }
      return words(stopReply(thread.id))
    }
    if request.take("qAttached") { return words("1") }
    if request.take("qOffsets") { return offsets() }
    if request.take("qSymbol") { return words("OK") }
    if request.take("qRcmd,") { return command(request, intermediate) }
    if request.take("qHostInfo") { return words(Self.host + "addressing_bits:\(server.kernel.regime.addressBits);") }
    if request.take("qProcessInfo") { return words("pid:1;" + Self.host) }
    if request.take("qGDBServerVersion") { return words("name:kva;") }
    if request.take("qMemoryRegionInfo:") { return region(request) }
    if request.take("jThreadsInfo") { return threadsInfo() }
    if request.text == "qC" { return words("QC\(Hex.text(current))") }
    return []
  }

  /// What a debugger must know about the machine. No operating system is named, since lldb would look for a Linux
  /// process's dynamic loader.
  private static let host = "triple:\(triple);ptrsize:8;endian:little;"
  private static let triple = String(decoding: Hex.text("aarch64-unknown-none-elf".utf8), as: UTF8.self)

  // MARK: Threads

  private func select(_ request: Request) -> [UInt8] {
    var request = request
    guard request.take("Hg") || request.take("Hc") else { return [] }
    // 0 is any thread, -1 all threads.
    if request.text == "0" || request.text == "-1" { return words("OK") }
    guard let id = Hex.number(request.rest), server.threads[id] != nil else { return error(3) }
    current = id
    return words("OK")
  }

  private func threadNumbers() -> [UInt8] {
    let rest = server.threads.all.dropFirst(listed).prefix(4096)
    listed += rest.count
    return words(rest.isEmpty ? "l" : "m" + rest.map { Hex.text($0.id) }.joined(separator: ","))
  }

  /// Why the thread `id` is stopped: SIGTRAP for the one that died, as gdb expects from a target it attaches to, no
  /// reason for the others.
  func stopReply(_ id: UInt64) -> String {
    let signal = id == server.threads.first ? "05" : "00"
    guard let thread = server.threads[id] else { return "S05" }
    let name = String(decoding: Hex.text(thread.name.utf8), as: UTF8.self)
    return "T\(signal)thread:\(Hex.text(id));hexname:\(name);"
  }

  private func threadsInfo() -> [UInt8] {
    var text = "["
    for thread in server.threads.all {
      if text.utf8.count > 1 { text += "," }
      let name = TargetDescription.escaped(thread.name).replacing("\\", with: "?")
      text += "{\"tid\":\(thread.id),\"name\":\"\(name)\""
      if thread.id == server.threads.first { text += ",\"reason\":\"signal\",\"signal\":5" }
      text += "}"
    }
    return BinaryData.escaped(Array((text + "]").utf8))
  }

  // MARK: Registers

  private func values(of id: UInt64) -> TaskRegisters? {
    switch server.threads[id]?.subject {
    case .cpu(let state)?: state.registers.map { TaskRegisters($0) } ?? TaskRegisters()
    case .task(let task)?: server.kernel.registers(of: task) ?? TaskRegisters()
    case nil: nil
    }
  }

  private func registers(of id: UInt64) -> [UInt8] {
    guard let values = values(of: id) else { return error(3) }
    return server.registerSizes.indices.flatMap { register($0, of: values) }
  }

  private func register(_ request: inout Request) -> [UInt8] {
    _ = request.take("p")
    guard let number = Hex.number(request.take(upTo: ";")), number < UInt64(server.registerSizes.count) else {
      return error(22)
    }
    guard let values = values(of: request.threadSuffix() ?? current) else { return error(3) }
    return register(Int(number), of: values)
  }

  private func register(_ number: Int, of values: TaskRegisters) -> [UInt8] {
    switch number {
    case 0...30: Hex.register(values.general[number], bytes: 8)
    case 31: Hex.register(values.sp, bytes: 8)
    case 32: Hex.register(values.pc, bytes: 8)
    case 33: Hex.register(values.pstate, bytes: 4)
    case server.registerSizes.count - 2, server.registerSizes.count - 1:
      Hex.register(server.pointerAuthenticationMask, bytes: 8)
    default: Hex.register(nil, bytes: server.registerSizes[number])
    }
  }

  // MARK: Memory

  private func memory(_ request: inout Request, isBinary: Bool) -> Reply {
    guard let (address, length) = request.addressAndLength() else { return .text(error(22)) }
    // This is lldb's probe for binary data without a prefix, which is not supported.
    if isBinary, address == 0, length == 0 { return .text([]) }
    let thread = server.threads[request.threadSuffix() ?? current]
    let wanted = min(length, UInt64(Limits.memoryBytes))
    let (bytes, failure) = server.memory.read(VirtualAddress(address), count: Int(wanted), root: thread?.userTables)
    if let failure, bytes.isEmpty {
      let page = address & ~0xfff
      if reported != page { server.report(failure) }
      reported = page
      return .text(error(14, failure))
    }
    return isBinary ? .binary(UInt8(ascii: "b"), bytes) : .text(Hex.text(bytes))
  }

  private func region(_ request: Request) -> [UInt8] {
    guard let address = Hex.number(request.rest) else { return error(22) }
    let range = server.regions.range(of: VirtualAddress(address), root: server.threads[current]?.userTables)
    // The size is one more than the last address minus the first.
    var text = "start:\(Hex.text(range.first));size:\(Hex.text(range.last &- range.first &+ 1));"
    if !range.permissions.isEmpty { text += "permissions:\(range.permissions);" }
    if !range.name.isEmpty { text += "name:\(String(decoding: Hex.text(range.name.utf8), as: UTF8.self));" }
    return words(text)
  }

  /// The runtime address of the first segment of vmlinux, which begins with `_text`: gdb relocates the file to it.
  private func offsets() -> [UInt8] {
    guard let start = server.kernel.symbol(named: "_text")?.address else { return [] }
    return words("TextSeg=\(Hex.text(start))")
  }

  // MARK: Documents and commands

  /// `OBJECT:read:ANNEX:OFFSET,LENGTH`.
  private func document(_ request: inout Request) -> [UInt8] {
    let object = String(decoding: request.take(upTo: ":"), as: UTF8.self)
    guard request.take("read:") else { return [] }
    let annex = String(decoding: request.take(upTo: ":"), as: UTF8.self)
    let document: [UInt8]
    switch (object, annex) {
    case ("features", "target.xml"): document = server.features
    case ("threads", ""): document = server.threadList
    case ("memory-map", ""): document = Array(TargetDescription.memoryMap.utf8)
    case ("features", _), ("threads", _), ("memory-map", _): return error(0)
    default: return []
    }
    guard let (offset, length) = request.addressAndLength() else { return error(22) }
    guard offset < UInt64(document.count) else { return words("l") }
    let start = Int(offset)
    let count = Int(min(length, UInt64(Limits.memoryBytes), UInt64(document.count - start)))
    let isLast = start + count == document.count
    return [UInt8(ascii: isLast ? "l" : "m")] + BinaryData.escaped(Array(document[start..<(start + count)]))
  }

  private func command(_ request: Request, _ intermediate: ([UInt8]) -> Void) -> [UInt8] {
    guard let bytes = Hex.bytes(request.rest) else { return error(22) }
    let text = server.monitor(String(decoding: bytes, as: UTF8.self)).prefix(Limits.commandBytes)
    var start = text.startIndex
    while start < text.endIndex {
      let end = min(start + Limits.memoryBytes, text.endIndex)
      var packet = [UInt8(ascii: "O")]
      Hex.append(text[start..<end], to: &packet)
      intermediate(packet)
      start = end
    }
    return words("OK")
  }

  // MARK: Words

  private func words(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// An error with its errno(3) number, and with `message` for clients that can show it.
  private func error(_ code: UInt8, _ message: String? = nil) -> [UInt8] {
    if let message, hasErrorMessages { return words("E." + TargetDescription.printable(message)) }
    var reply = [UInt8(ascii: "E")]
    Hex.append([code], to: &reply)
    if let message, hasErrorStrings {
      reply.append(UInt8(ascii: ";"))
      Hex.append(message.utf8, to: &reply)
    }
    return reply
  }
}
