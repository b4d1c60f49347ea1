import Bytes
import VMSA

/// Pages as they go into a kdump file.
struct PackedPages: Sendable {
  /// A page that has a descriptor.
  enum Page: Sendable {
    case zero
    /// The number of bytes of its data, and whether they are compressed.
    case stored(UInt32, isCompressed: Bool)
  }

  /// The frame of bit 0.
  var first: UInt64
  /// A bit for each frame that exists.
  var exists: [UInt8]
  /// A bit for each frame that has a descriptor.
  var dumped: [UInt8]
  var pages: [Page] = []
  var zeroPages = 0
  var unreadable = 0
  var data: [UInt8] = []
  var bytesSeen: UInt64 = 0
  let codec: PageCodec
  let pageSize: UInt64

  /// The descriptors: `struct page_desc`, with the data written at `start`.
  func descriptors(at start: UInt64, zeroPage: UInt64) -> [UInt8] {
    [UInt8](count: pages.count * Int(KdumpOutputLayout.descriptorSize)) { target in
      var place = 0
      func add(_ value: UInt64) {
        target.storeBytes(of: value.littleEndian, toByteOffset: place, as: UInt64.self)
        place += 8
      }
      var next = start
      for page in pages {
        switch page {
        case .zero:
          add(zeroPage)
          add(pageSize)
        case .stored(let size, let isCompressed):
          add(next)
          add(UInt64(size) | (isCompressed ? UInt64(codec.rawValue) << 32 : 0))
          next += UInt64(size)
        }
        // page_flags
        add(0)
      }
      return true
    }
  }
}

/// Reads and compresses pages: one per worker thread.
final class PagePacker {
  private let compression: CompressionContext
  private let codec: PageCodec
  private let pageSize: Int
  private let framesAtOnce: UInt64
  /// Memory that is packed from where it lies.
  private let segments: SegmentedMemory?
  private var buffers: Buffers

  /// What is read, and what is made of it.
  private struct Buffers {
    var input: [UInt8] = []
    var output: [UInt8] = []
    /// Bytes of `output` that are in use.
    var used = 0
  }

  init(_ description: KdumpDescription, _ pieces: FramePieces, _ segments: SegmentedMemory?) {
    self.segments = segments
    compression = CompressionContext(description.compression)
    codec = description.compression.codec
    pageSize = Int(description.pageSize)
    framesAtOnce = pieces.size
    let size = Int(pieces.size) * pageSize
    // A page takes at most its size, but compressing the last one needs `bound`.
    buffers = Buffers(
      input: [UInt8](repeating: 0, count: size),
      output: [UInt8](repeating: 0, count: size + CompressionContext.bound(pageSize)))
  }

  /// The pages of `piece` that `memory` has, except those left out.
  func pack(
    _ piece: FramePieces.Piece, of memory: any PhysicalMemory, excludes: (PhysicalAddress) -> Bool
  ) -> PackedPages {
    var result = PackedPages(
      first: piece.first, exists: [UInt8](repeating: 0, count: Int(framesAtOnce / 8)),
      dumped: [UInt8](repeating: 0, count: Int(framesAtOnce / 8)), codec: codec, pageSize: UInt64(pageSize))
    buffers.used = 0
    for frames in piece.frames {
      // Consecutive pages are read together.
      var run = frames.lowerBound..<frames.lowerBound
      for frame in frames {
        let bit = Int(frame - piece.first)
        result.exists[bit / 8] |= 1 << UInt8(bit % 8)
        let address = PhysicalAddress(frame * UInt64(pageSize))
        guard memory.absence(at: address) == nil, !excludes(address) else {
          pack(run, piece, of: memory, &result, &buffers)
          run = (frame + 1)..<(frame + 1)
          continue
        }
        run = run.lowerBound..<(frame + 1)
      }
      pack(run, piece, of: memory, &result, &buffers)
      result.bytesSeen += (frames.upperBound - frames.lowerBound) * UInt64(pageSize)
    }
    result.data = Array(buffers.output[..<buffers.used])
    return result
  }

  private func pack(
    _ run: Range<UInt64>, _ piece: FramePieces.Piece, of memory: any PhysicalMemory, _ result: inout PackedPages,
    _ buffers: inout Buffers
  ) {
    guard !run.isEmpty else { return }
    let count = Int(run.upperBound - run.lowerBound) * pageSize
    let start = PhysicalAddress(run.lowerBound * UInt64(pageSize))
    let isPacked: Void? = segments?.withBytes(start, count: count) { bytes in
      for frame in run {
        let place = Int(frame - run.lowerBound) * pageSize
        add(frame, bytes.extracting(place..<(place + pageSize)), piece, &result, &buffers.output, &buffers.used)
      }
    }
    if isPacked != nil { return }
    let isWhole = Self.read(run.lowerBound * UInt64(pageSize), 0..<count, of: memory, &buffers.input)
    for frame in run {
      let place = Int(frame - run.lowerBound) * pageSize
      let bytes = place..<(place + pageSize)
      guard isWhole || Self.read(frame * UInt64(pageSize), bytes, of: memory, &buffers.input) else {
        result.unreadable += 1
        continue
      }
      let input = buffers.input
      add(frame, input.rawSpan.extracting(bytes), piece, &result, &buffers.output, &buffers.used)
    }
  }

  /// Adds `page`, which is that of `frame`, to `result` and what is made of it to `output`, where `used` bytes are made.
  private func add(
    _ frame: UInt64, _ page: RawSpan, _ piece: FramePieces.Piece, _ result: inout PackedPages,
    _ output: inout [UInt8], _ used: inout Int
  ) {
    let bit = Int(frame - piece.first)
    result.dumped[bit / 8] |= 1 << UInt8(bit % 8)
    guard let (size, isCompressed) = pack(page, to: &output, at: used) else {
      result.zeroPages += 1
      result.pages.append(.zero)
      return
    }
    result.pages.append(.stored(UInt32(size), isCompressed: isCompressed))
    used += size
  }

  /// Puts `page` to `position` of `output`, compressed if that makes it smaller.
  ///
  /// - Returns: its bytes there; nil, with nothing written, if it is all zeros.
  private func pack(
    _ page: RawSpan, to output: inout [UInt8], at position: Int
  ) -> (size: Int, isCompressed: Bool)? {
    guard !page.isZero else { return nil }
    return output.withMutableRawSpan { target -> (size: Int, isCompressed: Bool) in
      var rest = target._mutatingExtracting(position..<target.byteCount)
      if let size = compression.compress(page, into: &rest) { return (size, true) }
      _ = rest.copy(page)
      return (page.byteCount, false)
    }
  }

  private static func read(
    _ address: UInt64, _ place: Range<Int>, of memory: any PhysicalMemory, _ input: inout [UInt8]
  ) -> Bool {
    input.withMutableRawSpan { bytes in
      var part = bytes._mutatingExtracting(place)
      do throws(MemoryFault) {
        try memory.read(PhysicalAddress(address), into: &part)
        return true
      } catch {
        return false
      }
    }
  }
}
