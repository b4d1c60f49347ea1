import Bytes
import CrashDump
import Synchronization
import VMSA

extension Kernel {
  /// The same dump without the frames that hold memory of processes or files, or may hold remains of it: those in use
  /// by them, free ones, and those of unknown use. nil if the dump does not show the use of frames.
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
  /// Whether a page of this use holds, or may hold, memory of a process or a file.
  package var mayHoldUserMemory: Bool {
    switch self {
    case .anonymous, .file, .huge, .free, .filtered: true
    case .slab, .pageTable, .stack, .kernelImage, .vmalloc, .perCPU, .reserved, .absent, .other: false
    }
  }
}

/// A cache of frame uses: walks visit the same tables again and again.
private final class KnownFrames: Sendable {
  private let known = Mutex<[UInt64: Bool]>([:])
  /// The most frames remembered: those of 4 GiB.
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
