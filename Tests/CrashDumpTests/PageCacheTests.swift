import Bytes
import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import CrashDump

@Suite("The cache of pages") struct PageCacheTests {
  /// A page that says in each word which it is.
  private static func page(_ number: UInt64, _ size: Int) -> [UInt8] {
    let words = (0..<UInt64(size / 8)).map { (number << 20 | $0).littleEndian }
    return words.withUnsafeBytes { Array($0) }
  }

  private static func isPage(_ bytes: RawSpan, _ number: UInt64, _ size: Int) -> Bool {
    bytes.byteCount == size
      && [0, size / 16, size / 8 - 1].allSatisfy { index in
        bytes.integer(UInt64.self, at: index * 8) == number << 20 | UInt64(index)
      }
  }

  @Test(
    "It keeps no more than it may, and nearly as much",
    arguments: [(1024, 65536), (1024, 1_000_000), (4096, 1 << 20), (65536, 4 << 20)])
  func bounded(_ size: Int, _ capacity: Int) throws {
    let cache = PageCache(pageSize: size, capacity: capacity)
    let count = UInt64(capacity / size * 3)
    // Neighbours, as a scan meets them, then pages far apart.
    for stride in [1, 1 << 9, 1 << 18] as [UInt64] {
      for number in 0..<count { cache.insert(number * stride, Self.page(number * stride, size)) }
      var kept = 0
      for number in 0..<count {
        let isRight = cache.withKeptPage(number * stride) { Self.isPage($0, number * stride, size) }
        #expect(isRight != false, "page \(number * stride)")
        if isRight == true { kept += 1 }
      }
      #expect(kept * size <= capacity, "\(kept) pages of \(size)")
      #expect(kept * size >= capacity / 3, "\(kept) pages of \(size), a stride of \(stride)")
    }
  }

  @Test("However little it may keep, it works", arguments: [0, 1, -1, 4096])
  func tiny(_ capacity: Int) {
    let cache = PageCache(pageSize: 4096, capacity: capacity)
    for number in 0..<UInt64(100) { cache.insert(number, Self.page(number, 4096)) }
    let kept = (0..<UInt64(100)).filter { cache.withKeptPage($0) { _ in true } == true }
    #expect(kept == Array(92..<100))
    #expect(cache.withKeptPage(1000) { _ in true } == nil)
    #expect(cache.withKeptPage(.max - 1) { _ in true } == nil)
  }

  @Test("What was used last stays")
  func recency() {
    let cache = PageCache(pageSize: 1024, capacity: 0)
    for number in 0..<UInt64(8) { cache.insert(number, Self.page(number, 1024)) }
    for number in 8..<UInt64(40) {
      #expect(cache.withKeptPage(3) { Self.isPage($0, 3, 1024) } == true)
      cache.insert(number, Self.page(number, 1024))
    }
    #expect(cache.withKeptPage(3) { _ in true } == true)
    #expect(cache.withKeptPage(4) { _ in true } == nil)
  }

  @Test("Words are had of kept pages only, and a page whose place is taken is not kept")
  func words() {
    let pages = WordPages(pageSize: 1024, capacity: 4096)
    #expect(pages.word(1, at: 0) == nil)
    for number: UInt64 in [1, 2, 5, 1] { keep(pages, number) }
    for offset in stride(from: 0, to: 1024, by: 8) {
      let bytes = Self.page(1, 1024)[offset..<(offset + 8)]
      #expect(pages.word(1, at: offset) == bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }
    #expect(pages.word(2, at: 1016) != nil && pages.word(5, at: 0) == nil && pages.word(3, at: 0) == nil)
    #expect(pages.word(1, at: 1017) == nil && pages.word(1, at: -8) == nil)
  }

  private func keep(_ pages: WordPages, _ number: UInt64) {
    pages.keep(number, Self.page(number, 1024).span.bytes)
  }

  @Test("A page that is read whole again within a while is known to be")
  func again() {
    let cache = PageCache(pageSize: 1024, capacity: 4096)
    #expect((0..<100).allSatisfy { !cache.isReadAgain($0) })
    #expect((0..<100).allSatisfy { cache.isReadAgain($0) })
    #expect(!cache.isReadAgain(1024 + 7) && !cache.isReadAgain(7))
  }

  @Test("A page kept twice is kept once; one that cannot be made is not kept, and leaves what is")
  func odd() {
    let cache = PageCache(pageSize: 1024, capacity: 0)
    for _ in 0..<20 { cache.insert(1, Self.page(1, 1024)) }
    for number in 2..<UInt64(9) { cache.insert(number, Self.page(number, 1024)) }
    #expect(cache.withKeptPage(1) { Self.isPage($0, 1, 1024) } == true)
    #expect(cache.count == 8)
    let failed = cache.withPage(20, load: { _ in .damaged }, { _ in true })
    if case .failure(let fault) = failed {
      #expect(fault.absence == .damaged)
    } else {
      Issue.record("a damaged page was kept")
    }
    #expect(cache.withKeptPage(20) { _ in true } == nil)
    #expect((1..<9).filter { cache.withKeptPage($0) { _ in true } == true }.count >= 7)
  }

  @Test("Readers and writers at once see whole pages, and the right ones")
  func concurrent() {
    let cache = PageCache(pageSize: 1024, capacity: 40_000)
    let wrong = Atomic<Int>(0)
    let hits = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 8) { worker in
      var generator = SeededGenerator(seed: UInt64(worker))
      for _ in 0..<3000 {
        let number = generator.next() % 100
        if let isRight = cache.withKeptPage(number, { Self.isPage($0, number, 1024) }) {
          hits.add(1, ordering: .relaxed)
          if !isRight { wrong.add(1, ordering: .relaxed) }
        } else {
          cache.insert(number, Self.page(number, 1024))
        }
      }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
    #expect(hits.load(ordering: .relaxed) > 100)
  }

  @Test("A dump read from many threads, its cache far too small", arguments: [0, 100_000, 64 << 20])
  func dump(_ cacheSize: Int) throws {
    var writer = KdumpWriter(frameCount: 400)
    for frame in 0..<UInt64(400) where frame % 7 != 3 {
      writer.pages[frame] = .kept(Self.page(frame, 4096), KdumpCodec.allCases[Int(frame % 5)])
    }
    try withDump(writer.bytes(), cacheSize: cacheSize) { dump in
      let wrong = Mutex<[String]>([])
      DispatchQueue.concurrentPerform(iterations: 8) { worker in
        var generator = SeededGenerator(seed: UInt64(worker) << 8)
        for _ in 0..<800 {
          let frame = generator.next() % 400
          let index = generator.next() % 512
          if frame % 7 == 3 {
            if dump.fault(frame << 12)?.absence != .notInDump { wrong.withLock { $0.append("\(frame) is there") } }
          } else if dump.word(frame << 12 + index * 8) != frame << 20 | index {
            wrong.withLock { $0.append("\(frame), word \(index)") }
          }
          let start = frame / 7 * 7 + 4
          if generator.next() % 50 == 0, start + 6 <= 400 {
            let expected = (start..<(start + 6)).flatMap { Self.page($0, 4096) }
            if dump.bytes(start << 12, 6 << 12) != expected { wrong.withLock { $0.append("from \(start)") } }
          }
        }
      }
      #expect(wrong.withLock { $0 } == [])
    }
  }
}

extension PageCache {
  /// Keeps `bytes` as page `number`, as a reader does that decompresses them.
  fileprivate func insert(_ number: UInt64, _ bytes: [UInt8]) {
    _ = withPage(
      number,
      load: { page in
        page.withUnsafeMutableBytes { $0.copyBytes(from: bytes) }
        return nil
      }, { _ in true })
  }
}
