import Foundation

/// The kernel's own listing of its tables, /sys/kernel/debug/kernel_page_tables, as the guest gave it before the stop.
///
/// The `rich` and `oops` entries took theirs up to a minute before. In that time two things change all the while, and
/// no comparison can hold them against the dump: KFENCE opens and closes pages of its pool, and the vmalloc area
/// gives stacks of 16 KiB and single pages to processes that come and go. For these entries `settled` leaves out the
/// pool, whatever is no larger than a stack in the vmalloc area, and the gaps there. All the rest stays as it was.
public struct KernelListing {
  /// Its lines.
  public let lines: [String]
  private let pool: Range<UInt64>
  private let vmalloc: Range<UInt64>
  /// THREAD_SIZE with 4 KiB pages.
  private static let stack: UInt64 = 16 << 10

  /// Reads the listing of `entry`.
  public init(_ entry: DumpEntry) throws {
    lines = try entry.lines("oracle/kernel_page_tables.txt")
    pool = try Self.pool(entry, lines) ?? 0..<0
    let hasChurn = !pool.isEmpty
    vmalloc = try hasChurn ? Self.vmalloc(lines) : 0..<0
  }

  /// Whether the range may have changed between the listing and the stop.
  public func isUnsettled(_ start: UInt64, _ end: UInt64) -> Bool {
    if end == 0 { return false }
    return pool.lowerBound <= start && end <= pool.upperBound
      || vmalloc.lowerBound <= start && end <= vmalloc.upperBound && end - start <= Self.stack
  }

  /// Those of `lines`, the kernel's or kva's, that can be compared.
  public func settled(_ lines: [String]) -> [String] {
    lines.filter { line in
      guard let (start, end) = Self.bounds(line) else { return true }
      let isGap = Self.words(line).count <= 4
      return !isUnsettled(start, end) && !(isGap && vmalloc.contains(start))
    }
  }

  /// KFENCE's pool: its first page is never open, and the log has its size. Other pages of the linear map that are
  /// not valid ("F") would be a surprise here.
  private static func pool(_ entry: DumpEntry, _ lines: [String]) throws -> Range<UInt64>? {
    let log = (try? entry.lines("oracle/dmesg.txt")) ?? []
    guard let line = log.first(where: { $0.contains("kfence: initialized - using ") }) else { return nil }
    let size = line.components(separatedBy: "using ").last?.prefix { $0.isNumber }
    let closed = lines.filter { words($0).contains("F") }.compactMap(bounds)
    guard let size = size.flatMap({ UInt64($0) }), let first = closed.first?.start,
      closed.allSatisfy({ $0.start >= first && $0.end <= first + size })
    else { throw TestSupportError("\(entry.name): no pool of KFENCE where the listing has closed pages") }
    return first..<(first + size)
  }

  private static func vmalloc(_ lines: [String]) throws -> Range<UInt64> {
    guard let from = lines.firstIndex(where: { $0.hasPrefix("---[ vmalloc() area") }),
      let to = lines.firstIndex(where: { $0.hasPrefix("---[ vmalloc() end") }), to > from + 1,
      let first = bounds(lines[from + 1]), let last = bounds(lines[to - 1])
    else { throw TestSupportError("the listing has no vmalloc() area") }
    return first.start..<last.end
  }

  /// "0xSTART-0xEND  SIZE LEVEL FLAGS" in words, the bounds as two.
  private static func words(_ line: String) -> [Substring] { line.split { $0 == " " || $0 == "-" } }

  private static func bounds(_ line: String) -> (start: UInt64, end: UInt64)? {
    let words = words(line)
    guard line.hasPrefix("0x"), words.count >= 4, let start = try? parseAddress(String(words[0])),
      let end = try? parseAddress(String(words[1]))
    else { return nil }
    return (start, end)
  }
}
