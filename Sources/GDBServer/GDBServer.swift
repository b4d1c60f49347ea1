import Bytes
import KernelVA

/// A debugger's view of a dump by the GDB remote serial protocol: CPUs and tasks are threads, memory is virtual,
/// nothing can be written or run.
///
/// It serves one client after another, and keeps what it has found out about the dump.
public final class GDBServer {
  /// Runs a command that a client gives with `monitor`, and returns what it prints.
  public typealias Monitor = (String) -> [UInt8]

  let kernel: Kernel
  let threads: ThreadTable
  let registerSizes: [Int]
  let pointerAuthenticationMask: UInt64?
  let features: [UInt8]
  let threadList: [UInt8]
  let memory: VirtualMemory
  var regions: MemoryRegions
  let monitor: Monitor
  let report: (String) -> Void

  /// Prepares to serve `kernel`.
  ///
  /// - Parameters:
  ///   - monitor: runs `monitor` commands.
  ///   - report: called with one line that says why requested memory cannot be read.
  public init(_ kernel: Kernel, monitor: @escaping Monitor, report: @escaping (String) -> Void) {
    self.kernel = kernel
    self.monitor = monitor
    self.report = report
    threads = ThreadTable(kernel)
    let mask = kernel.pointerAuthenticationMask
    pointerAuthenticationMask = mask
    registerSizes = TargetDescription.sizes(signs: mask != nil)
    features = Array(TargetDescription.features(signs: mask != nil).utf8)
    threadList = Array(TargetDescription.threads(threads).utf8)
    memory = VirtualMemory(kernel: kernel)
    regions = MemoryRegions(kernel)
  }

  /// The number of threads: CPUs and tasks.
  package var threadCount: Int { threads.all.count }

  /// Serves the client at the other end of `transport` until it detaches or goes away.
  public func serve(_ transport: some GDBTransport) {
    let session = ClientSession(self)
    var reader = PacketReader()
    var last = Packet()
    func sign(_ letter: Unicode.Scalar) -> Bool { transport.send([UInt8(ascii: letter)].rawSpan) }
    while reader.receive(transport.receive) {
      while let event = reader.next() {
        switch event {
        case .damaged:
          guard sign("-") else { return }
        case .resend:
          guard transport.send(last.bytes) else { return }
        case .interrupt:
          // The target is already stopped.
          last.put(.text(Array(session.stopReply(threads.first).utf8)))
          guard transport.send(last.bytes) else { return }
        case .packet(let payload):
          if reader.comparesChecksums, !sign("+") { return }
          let reply = session.answer(Request(payload), intermediate: { _ = transport.send(Packet($0).bytes) })
          if session.acknowledgesNothing { reader.comparesChecksums = false }
          if let reply {
            last.put(reply)
            guard transport.send(last.bytes) else { return }
          }
          if session.isOver { return }
        }
      }
    }
  }
}
