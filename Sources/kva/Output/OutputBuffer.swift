import Glibc
import KernelVA

/// The memory in which output collects.
///
/// Safety: the memory is this value's alone, which cannot be copied: allocated with it, zeroed, so that no byte is read
/// that was not written, and freed with it. Each store is checked against the size, and needs no alignment. A span
/// cannot outlive the value; what is stored while one is looked at changes what it shows, but frees or moves nothing.
/// It is not Sendable, so that one thread at a time has it.
@safe
struct OutputBuffer: ~Copyable {
  /// How many bytes it has.
  static let size = 64 << 10

  private let memory: UnsafeMutableRawPointer

  init() {
    // Zeroed by the system, page by page as it is used. Without memory Swift's own allocations end the process, too.
    guard let memory = unsafe calloc(1, Self.size) else { preconditionFailure("no memory") }
    unsafe self.memory = memory
  }

  deinit { unsafe free(memory) }

  /// Stores `value` at `position`, its lowest byte first; false, with nothing stored, if there is no room for it.
  @inline(__always)
  func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at position: Int) -> Bool {
    guard position >= 0, position <= Self.size &- MemoryLayout<T>.size else { return false }
    unsafe memory.storeBytes(of: value.littleEndian, toByteOffset: position, as: T.self)
    return true
  }

  /// Copies `bytes` to `position`; false, with nothing stored, if there is no room for them.
  func put(_ bytes: RawSpan, at position: Int) -> Bool {
    guard position >= 0, position <= Self.size, bytes.byteCount <= Self.size &- position else { return false }
    unsafe bytes.withUnsafeBytes { from in
      guard let start = from.baseAddress else { return }
      unsafe (memory + position).copyMemory(from: start, byteCount: from.count)
    }
    return true
  }

  /// Shows `body` the first `count` bytes.
  func withBytes(_ count: Int, _ body: (RawSpan) -> Void) {
    precondition(0...Self.size ~= count)
    body(unsafe RawSpan(_unsafeStart: memory, byteCount: count))
  }
}
