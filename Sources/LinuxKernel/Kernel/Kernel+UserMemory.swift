import Bytes
import CrashDump
import Synchronization
import VMSA

extension Kernel {
  /// The same dump without the frames that hold memory of processes or files, or may hold what is left of it: those in
  /// use by them, free ones, and those that nothing tells the use of. Nil if the dump does not tell the use of frames.
  package var dumpWithoutUserMemory: DumpFile? {
    guard let reader = pageReader else { return nil }
    let shift = UInt64(regime.granule.pageShift)
    let known = KnownFrames()
    return dump.leavingOut(framesOf: regime.granule.size) { address in
      known.isLeftOut(address.rawValue >> shift) { reader.frame($0).use.mayHoldUserMemory }
    }
  }
}

extension PageUse {
  /// Whether a page of this use holds memory of a process or a file, or may.
  package var mayHoldUserMemory: Bool {
    switch self {
    case .anonymous, .file, .huge, .free, .filtered: true
    case .slab, .pageTable, .stack, .kernelImage, .vmalloc, .perCPU, .reserved, .absent, .other: false
    }
  }
}

/// What was found of frames before: walks come to the same tables again and again.
private final class KnownFrames: Sendable {
  private let known = Mutex<[UInt64: Bool]>([:])
  /// Frames that are remembered: those of 4 GiB.
  private static let most = 1 << 20

  func isLeftOut(_ frame: UInt64, _ find: (UInt64) -> Bool) -> Bool {
    if let answer = known.withLock({ $0[frame] }) { return answer }
    let answer = find(frame)
    known.withLock { known in
      if known.count >= Self.most { known = [:] }
      known[frame] = answer
    }
    return answer
  }
}
