import Foundation
import TestSupport
import Testing

/// `kva gdbserver`: the protocol against what is known of the machines, and Debian's gdb and lldb as clients.
@Suite struct GDBServerTests {
  private static let dumps = DumpEntry.testData.filter { !$0.isNotedEarlier }.flatMap(\.elfDumps)
    .filter { !$0.isTablesOnly }

  private func ask(_ dump: Dump, _ payloads: [String]) throws -> [[UInt8]] {
    try RemoteProtocol.ask(["gdbserver", dump.path(), "--stdio"], payloads)
  }
  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
  private func number(_ digits: Substring) throws -> UInt64 {
    try parseBytes(String(digits)).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  @Test("The registers of each CPU are those that the machine held", arguments: dumps)
  func registers(_ dump: Dump) throws {
    let cpus = try dump.entry.registers()
    let replies = try ask(dump, cpus.indices.flatMap { ["Hg\(String($0 + 1, radix: 16))", "g"] })
    for (cpu, held) in cpus.enumerated() {
      #expect(text(replies[2 * cpu]) == "OK")
      let reply = text(replies[2 * cpu + 1])
      func register(_ place: Int) throws -> UInt64 {
        try number(reply.dropFirst(16 * place).prefix(16))
      }
      for name in 0...30 {
        #expect(try register(name) == held["X\(name)"] ?? held["x\(name)"], "x\(name) of CPU \(cpu)")
      }
      #expect(try register(32) == held["pc"] ?? held["PC"])
    }
  }

  @Test("Memory is what the machine held, by either packet", arguments: dumps)
  func memory(_ dump: Dump) throws {
    let samples = try dump.entry.mmu().kernelBytes.filter(\.isSameInDump).prefix(200)
    let replies = try ask(
      dump,
      samples.flatMap { sample -> [String] in
        let place = "\(String(sample.virtual, radix: 16)),\(String(sample.bytes.count, radix: 16))"
        return ["m" + place, "x" + place]
      })
    for (index, sample) in samples.enumerated() {
      #expect(try parseBytes(text(replies[2 * index])) == sample.bytes)
      #expect(replies[2 * index + 1] == Array("b".utf8) + sample.bytes)
    }
  }

  private static let holder = Result { try DumpEntry.named("c612-64k52") }
  private func holder() throws -> Dump { try Self.holder.get().dump("vmcore.d31-zstd") }

  @Test("Each process of ps is a thread with its name and PID, behind the CPUs")
  func threads() throws {
    let replies = try ask(holder(), ["qfThreadInfo", "qsThreadInfo", "qXfer:threads:read::0,ffff"])
    let numbers = text(replies[0]).dropFirst().split(separator: ",")
    #expect(numbers.prefix(2) == ["1", "2"] && text(replies[1]) == "l")
    let document = text(replies[2])
    #expect(document.components(separatedBy: "<thread ").count == numbers.count + 1)
    var found = 0
    for line in try holder().entry.lines("oracle/ps.txt") {
      let words = line.split(separator: " ").map(String.init)
      guard let pid = words.first.flatMap({ Int($0) }), let name = words.last, name.hasPrefix("[k") else { continue }
      let comm = name.trimmingCharacters(in: ["[", "]"]).prefix(15)
      // Workers come and go, and are named by what they do last.
      if comm.hasPrefix("kworker") { continue }
      #expect(document.contains("name=\"\(comm)-\(pid)\">PID \(pid),"), "\(line)")
      found += 1
    }
    #expect(found > 5)
  }

  @Test("Nothing can be written or run, and what is not there is an error with its reason")
  func refusals() throws {
    let packets = [
      "M0,1:00", "X0,0:", "G00", "P0=0", "c", "s", "vCont;c", "Z0,0,4", "mffff000000000001,8", "m10,8", "g",
    ]
    let input = packets.flatMap { RemoteProtocol.packet($0) }
    let result = try Kva.run(["gdbserver", holder().path(), "--stdio"], input: input)
    let replies = try RemoteProtocol.packets(Array(result.output)).map(text)
    #expect(replies.count == packets.count)
    for (packet, reply) in zip(packets, replies).prefix(7) { #expect(reply.hasPrefix("E"), "\(packet): \(reply)") }
    #expect(replies[7].isEmpty)
    #expect(replies[9] == "E0e" && result.standardError.contains("0x10 is"))
    #expect(replies[10].count > 500)
  }

  @Test("monitor passes a command on, and its text comes back")
  func monitor() throws {
    func hex(_ text: String) -> String { text.utf8.map { String(format: "%02x", $0) }.joined() }
    let input = ["resolve linux_banner", "nonsense", "'"].flatMap { RemoteProtocol.packet("qRcmd,\(hex($0))") }
    let result = try Kva.run(["gdbserver", holder().path(), "--stdio"], input: input)
    let replies = try RemoteProtocol.packets(Array(result.output)).map(text)
    let words = try replies.map { $0.hasPrefix("O") && $0 != "OK" ? try text(parseBytes(String($0.dropFirst()))) : $0 }
    #expect(words.count == 6 && words.filter { $0 == "OK" }.count == 3)
    #expect(words[0].contains("linux_banner") && words[0].contains("->"))
    #expect(words[2].contains("there is no command 'nonsense'") && words[4].contains("quote"))
  }

  @Test("monitor gives what each command prints, for every command that answers questions")
  func monitorOfAllCommands() throws {
    func hex(_ text: String) -> String { text.utf8.map { String(format: "%02x", $0) }.joined() }
    let dump = try holder().path()
    var questions = SchemaTests.questions(["init_task", "0x0", "runqueues@cpu1"])
    questions.append((command: "layout", arguments: [], options: ["kernel=6.12", "page-size=64K", "va-bits=52"]))
    questions.append((command: "diff", arguments: [dump], options: []))
    let known = try Kva.run(["shell", dump], input: "help\n").lines.filter { $0.hasPrefix("  ") }
      .compactMap { $0.split { " ,".contains($0) }.first.map(String.init) }
    #expect(Set(known) == Set(questions.map(\.command)))
    let lines = questions.map { question in
      ([question.command] + question.arguments + question.options.map { "--\($0)" }).map { "'\($0)'" }
        .joined(separator: " ")
    }
    let server = try Kva.run(
      ["gdbserver", dump, "--stdio"], input: lines.flatMap { RemoteProtocol.packet("qRcmd,\(hex($0))") })
    var replies = try RemoteProtocol.packets(Array(server.output)).map(text)[...]
    for (line, question) in zip(lines, questions) {
      var shown: [UInt8] = []
      while let reply = replies.popFirst(), reply != "OK" { shown += try parseBytes(String(reply.dropFirst())) }
      let (command, arguments, options) = question
      let printed = try Kva.run(
        [command] + (command == "layout" ? [] : [dump]) + arguments + options.map { "--\($0)" })
      // Behind it comes what the command says on standard error.
      #expect(text(shown).hasPrefix(printed.text), "\(line): \(text(shown).prefix(200))")
      let rest = text(shown).dropFirst(printed.text.count).split(separator: "\n")
      #expect(rest.allSatisfy { printed.standardError.contains($0) }, "\(line): \(rest.prefix(4))")
    }
    #expect(replies.isEmpty)
  }

  @Test("The user memory of a CPU's thread is that of the process it ran", arguments: dumps)
  func userMemory(_ dump: Dump) throws {
    let core = try CoreReader(path: dump.path())
    for (cpu, samples) in try dump.entry.mmu().userSamples {
      let there = samples.filter { !$0.hasTag }.compactMap { sample in
        sample.physical.flatMap { try? core.bytes($0 & ~15, 16) }.map { (sample.virtual & ~15, $0) }
      }
      let replies = try ask(
        dump, ["Hg\(String(cpu + 1, radix: 16))"] + there.map { "m\(String($0.0, radix: 16)),10" })
      #expect(!there.isEmpty)
      for (reply, (address, bytes)) in zip(replies.dropFirst(), there) {
        #expect(try parseBytes(text(reply)) == bytes, "\(String(address, radix: 16)) of CPU \(cpu)")
      }
    }
  }

  @Test("A thousand broken clients of one server harm nothing")
  func brokenClients() throws {
    var random = SeededGenerator(seed: 22)
    let dump = try holder().path()
    let session = try KvaSession(["gdbserver", dump, "--listen", "127.0.0.1:0"])
    defer { session.stop() }
    let line = try session.line(limit: 120)
    let port = try #require(line.split(separator: ":").last.flatMap { UInt16($0) })
    let good = ["qSupported", "qXfer:threads:read::0,fff", "g", "mffff", "H", "qRcmd,", "jThreadsInfo", "x0,0", "p"]
    for _ in 0..<1000 {
      let client = try Self.connect(port)
      defer { close(client) }
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
          bytes += (0..<Int.random(in: 0..<40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        case 1: bytes += RemoteProtocol.packet(good.randomElement(using: &random) ?? "")
        case 2: bytes += RemoteProtocol.packet(good.randomElement(using: &random) ?? "").dropLast()
        default:
          bytes += RemoteProtocol.packet(
            (good.randomElement(using: &random) ?? "")
              + String(UInt64.random(in: 0 ... .max, using: &random), radix: 16))
        }
      }
      _ = bytes.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
    let client = try Self.connect(port)
    defer { close(client) }
    let packet = RemoteProtocol.packet("qC")
    _ = packet.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    var reply: [UInt8] = []
    while !reply.contains(0x23) {
      var piece = [UInt8](repeating: 0, count: 64)
      let count = recv(client, &piece, piece.count, 0)
      try #require(count > 0)
      reply += piece.prefix(count)
    }
    #expect(String(decoding: reply, as: UTF8.self).hasPrefix("+$QC1#"))
  }

  private static func connect(_ port: UInt16) throws -> Int32 {
    // Processes of other tests would keep it open.
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let status = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw TestSupportError("cannot connect: \(errno)") }
    return client
  }

  @Test("What other machines reach needs the word for it")
  func loopback() throws {
    let result = try Kva.run(["gdbserver", holder().path(), "--listen", "0.0.0.0:0"])
    #expect(result.status == 64 && result.standardError.contains("--allow-remote"))
  }

  // MARK: Debian's debuggers, which are there wherever `.ci/run` runs

  private static func has(_ program: String) -> Bool {
    ProcessInfo.processInfo.environment["CI"] != nil
      || (try? Program.run("command -v \(program)", []).status == 0) ?? false
  }

  /// Runs `script` with the dump, a vmlinux and a folder as $1, $2 and $3, and kva as $KVA.
  private func withSymbols(_ script: String) throws -> ProcessResult {
    try Scratch.withFolder { folder in
      let entry = try Self.holder.get()
      let vmlinux = folder.appendingPathComponent("vmlinux").path
      _ = try Program.run(
        "zstd -dq \"$1\" -o \"$2\"", [entry.folder.appendingPathComponent("vmlinux.zst").path, vmlinux])
      return try Program.run("KVA='\(Kva.path)'; " + script, [holder().path(), vmlinux, folder.path])
    }
  }

  @Test("gdb shows threads, text, code, and the stacks that kva finds", .enabled(if: has("gdb-multiarch")))
  func gdb() throws {
    let stacks = try Kva.run(["stack", holder().path(), "--all", "--json"]).objects()
    let sleeping = stacks.filter {
      $0["running"] as? Bool == false && ($0["frames"] as? [Any])?.count ?? 0 > 3 && $0["pid"] as? Int != 0
    }.prefix(20)
    #expect(sleeping.count == 20)
    var commands = "thread 1\nprintf \"%s\", (char *) &linux_banner\nx/i &cpu_do_idle\n"
    for stack in sleeping {
      let pid = try #require(stack["pid"] as? Int)
      commands +=
        "python gdb.execute('thread %d' % [t.num for t in gdb.selected_inferior().threads() if t.ptid[1] == \(10_000_000 + pid) or t.ptid[2] == \(10_000_000 + pid)][0])\n"
      commands += "printf \"== \(pid)\\n\"\nbt\n"
    }
    let result = try withSymbols(
      """
      "$KVA" gdbserver "$1" --vmlinux "$2" --init gdb > "$3/init" || exit 1
      cat > "$3/commands" <<'END'
      \(commands)
      END
      gdb-multiarch -nx -batch -x "$3/init" -x "$3/commands" 2> "$3/errors" || { cat "$3/errors"; exit 1; }
      """)
    try #require(result.status == 0, "\(result.text.suffix(800))")
    let banner = try holder().entry.lines("oracle/dmesg.txt").first { $0.contains("Linux version") }
    #expect(result.text.contains(try #require(banner)))
    #expect(result.text.contains("<cpu_do_idle>"))
    let parts = result.text.components(separatedBy: "== ").dropFirst()
    #expect(parts.count == 20)
    for part in parts {
      let pid = part.split(separator: "\n").first.flatMap { Int($0) }
      // What follows is the frame that selecting the next thread shows.
      let trace = part.components(separatedBy: "[Switching")[0]
      let shown = trace.split(separator: "\n").filter { $0.hasPrefix("#") }.compactMap {
        $0.components(separatedBy: " in ").last?.split(separator: " ").first.map(String.init)
      }
      let stack = sleeping.first { $0["pid"] as? Int == pid }
      let wanted = (stack?["frames"] as? [[String: Any]])?.compactMap { $0["symbol"] as? String }
      #expect(shown == wanted, "PID \(pid ?? -1)")
    }
  }

  @Test("lldb shows threads, registers, regions and memory", .enabled(if: has("lldb")))
  func lldb() throws {
    let result = try withSymbols(
      """
      "$KVA" gdbserver "$1" --listen 127.0.0.1:0 > "$3/port" 2>/dev/null &
      server=$!
      until grep -q : "$3/port"; do sleep 0.1; done
      line=$(cat "$3/port")
      # Debian's, not that of a Swift toolchain.
      debugger=/usr/bin/lldb
      [ -x $debugger ] || debugger=lldb
      $debugger -b -o "gdb-remote ${line##* }" -o 'thread list' -o 'register read pc sp x19' -o 'memory region $pc' \
        -o 'continue' -o 'thread select 4' -o bt 2>&1
      kill -KILL $server
      """)
    let registers = try Self.holder.get().registers()[0]
    let pc = try #require(registers["pc"] ?? registers["PC"])
    #expect(result.text.contains("pc = 0x\(String(format: "%016lx", Int(bitPattern: UInt(pc))))"), "\(result.text)")
    #expect(result.text.contains("init-1") && result.text.contains("r-x kernel image"))
    #expect(result.text.contains("this is a dump: nothing in it can run"))
  }
}
