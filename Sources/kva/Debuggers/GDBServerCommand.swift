import ArgumentParser
import GDBServer
import Glibc
import KernelVA

/// `kva gdbserver`: gdb and lldb on a dump.
struct GDBServerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gdbserver",
    abstract: "Serve a dump to gdb and lldb.",
    discussion: """
      CPUs and tasks are threads, memory is virtual; nothing can be written or run. 'monitor COMMAND' runs a \
      command of kva.

      Example: gdb-multiarch -ex 'target remote | kva gdbserver vmcore --stdio'
      Example: kva gdbserver vmcore --init gdb > vmcore.gdb; gdb-multiarch -x vmcore.gdb
      """)

  @OptionGroup var options: DumpOptions

  @Flag(help: "Talk to one client by standard input and output.")
  var stdio = false

  @Option(
    help: ArgumentHelp(
      "Wait for clients, one after another, at an IPv4 address; with port 0 the system chooses one.",
      valueName: "address:port"))
  var listen: Endpoint?

  @Flag(help: "Let --listen have an address that other machines reach: whoever connects reads all memory.")
  var allowRemote = false

  @Option(
    name: .customLong("init"),
    help: ArgumentHelp(
      "Print a script that connects gdb or lldb and loads the symbols, and serve nobody.", valueName: "debugger"))
  var script: DebuggerScript.Debugger?

  func validate() throws {
    guard script != nil || stdio != (listen != nil) else {
      throw ValidationError("Give either --stdio or --listen ADDRESS:PORT.")
    }
    if script == .lldb, listen == nil {
      throw ValidationError("lldb starts no server: give --listen ADDRESS:PORT, where it will find one.")
    }
    if let listen, !listen.isLoopback, !allowRemote {
      throw ValidationError(
        "\(listen.address) is reached from other machines, and whoever connects reads all memory; "
          + "use 127.0.0.1, or say --allow-remote")
    }
  }

  func run() throws {
    // A client may go away at any time.
    signal(SIGPIPE, SIG_IGN)
    if let script { return try write(script) }
    let session = Session(options, Output(), readsQueries: false, keepsProblems: true)
    let kernel = try session.kernel
    let monitor = MonitorCommands(session)
    let server = GDBServer(
      kernel,
      monitor: { text in
        do throws(ShellLine.Malformed) {
          return monitor.output(of: try ShellLine(text).words)
        } catch {
          return Array("\(error.message)\n".utf8)
        }
      },
      report: { Diagnostics.report($0) })
    for line in DebuggerScript(kernel, vmlinux: options.access.vmlinux).advice { Diagnostics.report(line) }
    guard let listen else {
      return server.serve(ClientConnection(input: STDIN_FILENO, output: STDOUT_FILENO))
    }
    let listener = try TCPListener(address: listen.address, port: listen.port)
    session.output.text("listening at \(listen.address):\(listener.port)\n")
    session.output.flush()
    while let client = listener.accept() {
      server.serve(ClientConnection(input: client, output: client))
      close(client)
    }
  }
}

extension GDBServerCommand {
  /// Prints a script that starts a session of `debugger` with one command.
  private func write(_ debugger: DebuggerScript.Debugger) throws {
    let session = Session(options, Output())
    let script = DebuggerScript(try session.kernel, vmlinux: options.access.vmlinux)
    let connection = listen.map { "\($0.address):\($0.port)" } ?? "| \(Self.shellCommand)"
    session.output.text(script.text(debugger, connection: connection))
    session.output.flush()
  }

  /// This command for sh(1), serving one client instead of printing a script.
  private static var shellCommand: String {
    var words = CommandLine.arguments
    if let place = words.firstIndex(where: { $0 == "--init" }) {
      words.removeSubrange(place...min(place + 1, words.count - 1))
    }
    words.removeAll { $0.hasPrefix("--init=") || $0 == "--stdio" }
    return (words + ["--stdio"]).map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")
  }
}

extension DebuggerScript.Debugger: ExpressibleByArgument {}

/// An IPv4 address and a port.
struct Endpoint: ExpressibleByArgument {
  let address: String
  let port: UInt16

  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard let last = parts.last, parts.count <= 2, let port = UInt16(last) else { return nil }
    let address = parts.count == 2 ? String(parts[0]) : ""
    self.address = address.isEmpty || address == "localhost" ? "127.0.0.1" : address
    self.port = port
  }

  /// Whether only this machine reaches it. (RFC 1122, 3.2.1.3: 127/8)
  var isLoopback: Bool { address.hasPrefix("127.") }
}
