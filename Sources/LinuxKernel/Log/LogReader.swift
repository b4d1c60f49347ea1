import Bytes
import DebugInfo

/// A message of the kernel's log.
public struct LogRecord: Sendable {
  /// Its number since boot.
  public let sequence: UInt64
  /// Nanoseconds since boot.
  public let timestamp: UInt64
  /// The level, 0 (emergency) to 7 (debug).
  public let level: Int
  /// The facility; 0 is the kernel.
  public let facility: Int
  /// Who wrote it (CONFIG_PRINTK_CALLER): "T12" a task, "C3" a CPU; nil if not recorded.
  public let caller: String?
  /// The text.
  public let text: String

  /// Makes a message.
  package init(
    sequence: UInt64 = 0, timestamp: UInt64 = 0, level: Int = 0, facility: Int = 0, caller: String? = nil, text: String
  ) {
    self.sequence = sequence
    self.timestamp = timestamp
    self.level = level
    self.facility = facility
    self.caller = caller
    self.text = text
  }
}

/// Reads the kernel's log: the ring of records of 5.10 and later, or the buffer before it. VMCOREINFO has everything
/// needed; without it the types do. (kernel/printk/printk_ringbuffer.h and .c; kernel/printk/printk.c of 5.9)
struct LogReader {
  let space: KernelMemory
  let vmcoreinfo: VMCoreInfo
  let types: Lazy<KernelTypes>
  let symbol: (String) -> UInt64?

  /// The messages, the oldest first.
  func records() -> Listing<LogRecord> {
    if let ring = symbol("prb").flatMap({ space.word(at: $0) }) {
      guard let layout = PrintkRing(offset, size) else {
        return Listing(notes: [types.value.unknown("printk_ringbuffer")])
      }
      return layout.records(at: ring, in: space)
    }
    if symbol("log_buf") != nil { return bufferRecords() }
    return Listing(notes: [
      Diagnostic(.symbolUnknown, "prb", "no symbol names prb or log_buf, so that the log is not found")
    ])
  }

  /// The memory of the log; empty if unknown.
  var ranges: [Range<UInt64>] {
    if let ring = symbol("prb").flatMap({ space.word(at: $0) }) {
      return PrintkRing(offset, size)?.ranges(at: ring, in: space) ?? []
    }
    guard let buffer = symbol("log_buf").flatMap({ space.word(at: $0) }),
      let size = symbol("log_buf_len").flatMap({ space.integer(UInt32.self, at: $0) }), buffer <= .max - UInt64(size)
    else { return [] }
    return [buffer..<(buffer + UInt64(size))]
  }

  /// The offset of `TYPE.MEMBER`.
  private func offset(_ name: String) -> UInt64? {
    vmcoreinfo.offset(name).flatMap { UInt64(exactly: $0) } ?? types.value.offset(name)
  }

  private func size(_ type: String) -> Int? { vmcoreinfo.size(type) ?? types.value.size(of: type) }

  // MARK: - The buffer before 5.10

  private func bufferRecords() -> Listing<LogRecord> {
    var result = Listing<LogRecord>()
    func half(_ name: String) -> UInt32? { symbol(name).flatMap { space.integer(UInt32.self, at: $0) } }
    guard let buffer = symbol("log_buf").flatMap({ space.word(at: $0) }), let size = half("log_buf_len"),
      let first = half("log_first_idx"), let next = half("log_next_idx"), size <= 1 << 30,
      let bytes = space.bytes(at: buffer, count: Int(size))
    else {
      result.note(.logUnreadable, text: "the log cannot be read: it is not in the dump, or damaged")
      return result
    }
    let header = vmcoreinfo.size("printk_log") ?? 16
    let timeAt = vmcoreinfo.offset("printk_log.ts_nsec") ?? 0
    let lengthAt = vmcoreinfo.offset("printk_log.len") ?? 8
    let textAt = vmcoreinfo.offset("printk_log.text_len") ?? 10
    func integer(_ at: Int, _ size: Int) -> UInt64? {
      guard at >= 0, at <= bytes.count - size else { return nil }
      return bytes[at..<(at + size)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    // Equal indices mean a full or an empty buffer: check one record.
    var here = Int(first)
    var sequence = symbol("log_first_seq").flatMap { space.word(at: $0) } ?? 0
    var seen = 0
    guard header >= 16 else {
      result.note(.logUnreadable, text: "the log cannot be read: VMCOREINFO says that its records have \(header) bytes")
      return result
    }
    repeat {
      guard let length = integer(here + lengthAt, 2), let time = integer(here + timeAt, 8),
        let text = integer(here + textAt, 2), let facility = integer(here + textAt + 4, 1),
        let level = integer(here + textAt + 5, 1)
      else {
        result.note(.logBroken, text: "the log breaks off: a record lies beyond its end")
        break
      }
      if length == 0 {
        // The record did not fit here: it is at the beginning.
        guard here != 0 else { break }
        here = 0
        continue
      }
      guard Int(length) >= header, header + Int(text) <= Int(length), here + Int(length) <= bytes.count else {
        result.note(.logBroken, text: "the log breaks off: a record is damaged")
        break
      }
      let caller = header >= 20 ? integer(here + 16, 4).flatMap { LogRecord.caller(UInt32($0)) } : nil
      result.elements.append(
        LogRecord(
          sequence: sequence, timestamp: time, level: Int(level >> 5), facility: Int(facility), caller: caller,
          text: String(decoding: bytes[(here + header)..<(here + header + Int(text))], as: UTF8.self)))
      sequence &+= 1
      here += Int(length)
      seen += Int(length)
    } while here != Int(next) && seen <= bytes.count
    if result.notes.isEmpty, here != Int(next) {
      result.note(.logBroken, text: "the log runs in a circle: it is damaged")
    }
    return result
  }
}
