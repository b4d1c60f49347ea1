import Bytes
import CrashDump
import DebugInfo
import VMSA

/// A frame and the function that it is in.
public struct NamedFrame: Sendable {
  /// The frame.
  public let frame: StackFrame
  /// The function; nil if no symbol names it.
  public let symbol: Symbol?

  /// The offset of `frame.pc` in the function, in bytes; 0 without one.
  public var offset: UInt64 { symbol.map { frame.pc &- $0.address } ?? 0 }

  /// The frame as the kernel prints it: `function+0x10/0x40 [module]`, or the address if no symbol names it. (%pS)
  public var text: String {
    guard let symbol else { return hex(frame.pc) }
    let place = "\(symbol.name)+\(hex(offset))/\(hex(symbol.size))"
    return symbol.module.map { "\(place) [\($0)]" } ?? place
  }
}

/// The stack of a task.
public struct TaskStack: Sendable {
  /// The task.
  public let task: KernelTask
  /// The CPU that was running it; nil if it was not running.
  public let runningOn: Int?
  /// Its frames, the innermost first.
  public let frames: [NamedFrame]
  /// The backtrace: how the chain ends, and the registers on the way.
  package let trace: Backtrace
  /// Its shadow call stack; nil if it has none, or it is not in the dump.
  package let shadow: ShadowTrace?
  /// The lock that it waits for; nil if it waits for none, or that was not found.
  package let wait: LockWait?
  /// Nanoseconds since it ran; nil if it is running, or that is unknown.
  package let sinceRun: UInt64?

  /// The frames that are part of the chain.
  package var chain: [NamedFrame] { frames.filter { $0.frame.kind != .link && $0.frame.kind != .scanned } }

  /// A hash of the chain of functions, the same for equal chains across boots and builds: hex digits after 0x (FNV-1a,
  /// 64 bits). Addresses, offsets and frames outside the chain are ignored; a frame without a function counts as
  /// unknown.
  public var hash: String {
    var value: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    for named in chain {
      for byte in (named.symbol?.name ?? "?").utf8 { add(byte) }
      add(0)
    }
    return hex(value)
  }
}
