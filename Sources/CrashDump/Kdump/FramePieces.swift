import Bytes
import VMSA

/// The page frames of memory in numbered pieces of about a mebibyte. No two pieces share a byte of a bitmap.
struct FramePieces: Sendable {
  /// Frames that are processed together.
  struct Piece: Sendable {
    /// The frame of bit 0 of the piece.
    var first: UInt64
    /// The frames that exist.
    var frames: [Range<UInt64>]
  }

  /// The end of the frame numbers (exclusive).
  let end: UInt64
  /// How many frames there are.
  let frameCount: UInt64
  /// Frames of a piece: a multiple of 8.
  let size: UInt64
  /// The frames, in order and apart from each other.
  private let frames: [Range<UInt64>]
  /// The pieces that have frames, in order and apart from each other, and how many there are before each range.
  private var numbers: [(range: Range<UInt64>, before: Int)] = []
  /// How many pieces there are.
  private(set) var count = 0

  private static let pieceBytes: UInt64 = 1 << 20

  /// - Parameter frame: bytes of a frame. A frame only partly in memory does not count.
  init(_ ranges: [Range<PhysicalAddress>], frame: UInt64) {
    var frames: [Range<UInt64>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      let (rounded, isBeyond) = range.lowerBound.rawValue.addingReportingOverflow(frame - 1)
      guard !isBeyond else { continue }
      let start = max(rounded / frame, frames.last?.upperBound ?? 0)
      let end = range.upperBound.rawValue / frame
      guard start < end else { continue }
      if let last = frames.last, last.upperBound == start {
        frames[frames.count - 1] = last.lowerBound..<end
      } else {
        frames.append(start..<end)
      }
    }
    self.frames = frames
    size = max(8, Self.pieceBytes / frame)
    end = frames.last?.upperBound ?? 0
    frameCount = frames.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) }
    for range in frames {
      let start = max(range.lowerBound / size, numbers.last?.range.upperBound ?? 0)
      let end = (range.upperBound - 1) / size + 1
      guard start < end else { continue }
      numbers.append((start..<end, count))
      count += Int(clamping: end - start)
    }
  }

  /// The piece with this number.
  subscript(number: Int) -> Piece {
    let place = numbers.partitioningIndex { $0.before > number } - 1
    let first = (numbers[place].range.lowerBound + UInt64(number - numbers[place].before)) * size
    var result = Piece(first: first, frames: [])
    var index = frames.partitioningIndex { $0.upperBound > first }
    while index < frames.count, frames[index].lowerBound < first + size {
      result.frames.append(frames[index].clamped(to: first..<(first + size)))
      index += 1
    }
    return result
  }
}
