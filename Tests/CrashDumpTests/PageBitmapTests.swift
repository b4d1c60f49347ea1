import Bytes
import Foundation
import TestSupport
import Testing

@testable import CrashDump

/// A descriptor is found by counting bits: a count that is off by one shows another page's contents.
@Suite("Counting the bits below a frame") struct PageBitmapTests {
  /// How many bits are set below each of `numbers`, which are in order, counted one by one.
  private static func naive(_ bits: [UInt8], _ numbers: [UInt64]) -> [UInt64] {
    var result: [UInt64] = []
    var here: UInt64 = 0
    var count: UInt64 = 0
    for number in numbers {
      while here < number {
        let byte = bits[Int(here / 8)]
        if here % 8 == 0, number - here >= 8 {
          count += UInt64(byte.nonzeroBitCount)
          here += 8
        } else {
          count += UInt64(byte >> UInt8(here % 8) & 1)
          here += 1
        }
      }
      result.append(count)
    }
    return result
  }

  /// The counts of a bitmap of `count` bits that begins `offset` bytes into a file.
  private func check(_ bits: [UInt8], count: UInt64, offset: Int) throws {
    let numbers = Self.interesting(count)
    try withFiles(["bits": [UInt8](repeating: 0xff, count: offset) + bits + [0xff, 0xff]]) { folder in
      let bitmap = PageBitmap(.mapped(try MappedFile(path: folder + "/bits")), at: UInt64(offset), count: count)
      let expected = Self.naive(bits, numbers)
      for (number, rank) in zip(numbers, expected) {
        #expect(bitmap.rank(number) == rank, "bit \(number) of \(count)")
        let isSet = number < count && bits[Int(number / 8)] >> UInt8(number % 8) & 1 == 1
        #expect(bitmap.contains(number) == isSet, "bit \(number) of \(count)")
      }
      #expect(bitmap.total == expected.last)
      #expect(bitmap.rank(count + 1) == bitmap.total && bitmap.rank(.max) == bitmap.total)
      #expect(!bitmap.contains(count) && !bitmap.contains(.max))
    }
  }

  /// Bits about the borders of bytes, of 1024 bits and of 4 MiB, the end, and others.
  private static func interesting(_ count: UInt64) -> [UInt64] {
    var numbers: Set<UInt64> = [0, count, count / 2, count / 3]
    for border in [8, 64, 1024, 2048, 1 << 15, 1 << 25, 1 << 26, count] where border <= count {
      for distance in 0...9 { numbers.formUnion([border - min(border, UInt64(distance)), border + UInt64(distance)]) }
    }
    var generator = SeededGenerator(seed: count)
    for _ in 0..<200 { numbers.insert(generator.next() % (count + 1)) }
    return numbers.filter { $0 <= count }.sorted()
  }

  @Test("Random bits of many lengths", arguments: [1, 7, 8, 9, 63, 64, 65, 1000, 1023, 1024, 1025, 3000, 4096, 99_999])
  func random(_ count: Int) throws {
    var generator = SeededGenerator(seed: UInt64(count))
    try check(generator.bytes((count + 7) / 8), count: UInt64(count), offset: count % 13)
  }

  @Test("Over the border of what is counted at a time, 4 MiB")
  func large() throws {
    var generator = SeededGenerator(seed: 4)
    let some = generator.bytes(65_521)
    // A prime number of bytes, repeated: no two borders see the same.
    var bits: [UInt8] = []
    while bits.count < (4 << 20) + 4000 { bits += some }
    try check(bits, count: UInt64(bits.count) * 8 - 3, offset: 5)
  }

  @Test("Runs of bits, over the same borders")
  func runs() throws {
    let count = (4 << 23) + 70_001
    var generator = SeededGenerator(seed: 9)
    var expected: [Range<UInt64>] = []
    var bits = [UInt8](repeating: 0, count: (count + 7) / 8)
    var here = 1
    while here < count {
      let isLong = generator.next() % 2 == 0
      let end = min(count, here + 1 + Int(generator.next() % (isLong ? 300_000 : 200)))
      for bit in here..<end where bit % 8 != 0 || end - bit < 8 { bits[bit / 8] |= 1 << UInt8(bit % 8) }
      for byte in ((here + 7) / 8)..<max((here + 7) / 8, end / 8) { bits[byte] = 0xff }
      expected.append(UInt64(here)..<UInt64(end))
      here = end + 1 + Int(generator.next() % (isLong ? 100 : 300_000))
    }
    try withFiles(["bits": bits]) { folder in
      let bitmap = PageBitmap(.mapped(try MappedFile(path: folder + "/bits")), at: 0, count: UInt64(count))
      var runs: [Range<UInt64>] = []
      var end: UInt64 = 0
      bitmap.forEachRun { range, isSet in
        #expect(range.lowerBound == end)
        end = range.upperBound
        if isSet { runs.append(range) }
        return true
      }
      #expect(end == UInt64(count))
      #expect(runs == expected)
    }
  }

  @Test("The right page for every frame dumped, of 34 million")
  func pages() throws {
    var writer = KdumpWriter(frameCount: (1 << 25) + 5000)
    var generator = SeededGenerator(seed: 1)
    var frames = Set((0..<2000).map { _ in generator.next() % writer.frameCount })
    for border in [0, 1024, 2048, 1 << 15, 1 << 25, (1 << 25) + 1024] as [UInt64] {
      for distance in 0..<UInt64(12) where distance % 3 != 1 {
        frames.formUnion([border + distance, border - min(border, distance)])
      }
    }
    for frame in frames {
      writer.pages[frame] = .kept([UInt8](little: ~frame) + .zeros(4088), frame % 2 == 0 ? .lzo : .zlib)
    }
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try writer.write(to: path)
      let dump = try DumpFile(path: path)
      for frame in frames {
        #expect(dump.word(frame << 12) == ~frame, "frame \(frame)")
        if !frames.contains(frame + 1) { #expect(dump.reason((frame + 1) << 12) == .notInDump) }
      }
    }
  }
}
