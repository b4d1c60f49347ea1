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
  /// Who wrote it (CONFIG_PRINTK_CALLER): "T12" a task, "C3" a CPU; nil where the kernel does not tell.
  public let caller: String?
  /// The text.
  public let text: String

  /// Puts a message together.
  public init(
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

/// Reads the kernel's log: the ring of records of 5.10 and later, or the buffer before it. All that is
/// needed is in VMCOREINFO; without that the types tell it.
/// (kernel/printk/printk_ringbuffer.h and .c; kernel/printk/printk.c of 5.9)
struct KernelLogReader {
  let space: KernelSpace
  let vmcoreinfo: VMCoreInfo
  let types: Lazy<KernelTypes>
  let symbol: (String) -> UInt64?

  /// The messages, the oldest first.
  func records() -> Listing<LogRecord> {
    if let ring = symbol("prb").flatMap({ space.word(at: $0) }) { return ringRecords(ring) }
    if symbol("log_buf") != nil { return bufferRecords() }
    return Listing(notes: ["no symbol names prb or log_buf, so that the log is not found; give --vmlinux"])
  }

  /// Records in a row of reads that fail, after which the ring is taken to be lost: as many as fill a MiB of text.
  private static let lostRecords = 1 << 15

  /// Where `TYPE.MEMBER` is in its type.
  private func offset(_ name: String) -> UInt64? {
    if let told = vmcoreinfo.offset(name) { return UInt64(exactly: told) }
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    return types.value.member(parts[1], of: parts[0]).map { UInt64($0.offset) }
  }

  private func size(_ type: String) -> Int? { vmcoreinfo.size(type) ?? types.value.size(of: type) }

  // MARK: - The ring of 5.10

  private func ringRecords(_ ring: UInt64) -> Listing<LogRecord> {
    var result = Listing<LogRecord>()
    guard let descriptors = offset("printk_ringbuffer.desc_ring"),
      let data = offset("printk_ringbuffer.text_data_ring"),
      let countBits = offset("prb_desc_ring.count_bits"), let table = offset("prb_desc_ring.descs"),
      let infos = offset("prb_desc_ring.infos"), let headAt = offset("prb_desc_ring.head_id"),
      let tailAt = offset("prb_desc_ring.tail_id"), let sizeBits = offset("prb_data_ring.size_bits"),
      let textAt = offset("prb_data_ring.data"), let descriptorSize = size("prb_desc"),
      let stateAt = offset("prb_desc.state_var"), let blockAt = offset("prb_desc.text_blk_lpos"),
      let beginAt = offset("prb_data_blk_lpos.begin"), let nextAt = offset("prb_data_blk_lpos.next"),
      let infoSize = size("printk_info"), let members = InfoMembers(offset),
      let count = space.integer(UInt32.self, at: ring &+ descriptors &+ countBits),
      let bits = space.integer(UInt32.self, at: ring &+ data &+ sizeBits),
      let head = space.word(at: ring &+ descriptors &+ headAt),
      let tail = space.word(at: ring &+ descriptors &+ tailAt),
      let descriptorTable = space.word(at: ring &+ descriptors &+ table),
      let infoTable = space.word(at: ring &+ descriptors &+ infos),
      let text = space.word(at: ring &+ data &+ textAt), count <= Limits.logCountBits, bits < 40
    else {
      let isKnown = offset("printk_ringbuffer.desc_ring") != nil
      result.notes.append(
        isKnown
          ? "the log at \(hex(ring)) cannot be read: it is not in the dump, or damaged"
          : "the type printk_ringbuffer is not known: give --vmlinux, or a kernel with BTF")
      return result
    }
    let ids: UInt64 = 1 << 62 - 1
    let mask = UInt64(1) << UInt64(count) - 1
    var unreadable = 0
    var textLeft = Limits.logText
    // At most as many records as the ring has room for, whatever the numbers say.
    for step in 0...min((head &- tail) & ids, mask) {
      let id = (tail &+ step) & ids
      let index = id & mask
      let descriptor = descriptorTable &+ index &* UInt64(descriptorSize)
      guard let state = space.word(at: descriptor &+ stateAt) else {
        unreadable += 1
        // Of a ring that is not there nothing more is asked.
        if unreadable > Self.lostRecords { break }
        continue
      }
      // Committed and finalized records are there; a reserved one is being written.
      guard state & ids == id, state >> 62 == 1 || state >> 62 == 2 else { continue }
      guard let begin = space.word(at: descriptor &+ blockAt &+ beginAt),
        let next = space.word(at: descriptor &+ blockAt &+ nextAt),
        let record = ringRecord(
          infoTable &+ index &* UInt64(infoSize), members, text: text, begin: begin, next: next, bits: UInt64(bits),
          id: id)
      else {
        unreadable += 1
        continue
      }
      textLeft -= record.text.utf8.count
      guard textLeft >= 0 else {
        result.notes.append("the log has more than \(Limits.logText) bytes of text: the rest is left out")
        break
      }
      result.elements.append(record)
    }
    if unreadable > 0 { result.notes.append("\(unreadable) messages cannot be read: not in the dump, or damaged") }
    return result
  }

  /// Where the members of `struct printk_info` are.
  private struct InfoMembers {
    var sequence, time, length, caller: UInt64

    init?(_ offset: (String) -> UInt64?) {
      guard let sequence = offset("printk_info.seq"), let time = offset("printk_info.ts_nsec"),
        let length = offset("printk_info.text_len"), let caller = offset("printk_info.caller_id")
      else { return nil }
      self.sequence = sequence
      self.time = time
      self.length = length
      self.caller = caller
    }
  }

  private func ringRecord(
    _ info: UInt64, _ members: InfoMembers, text: UInt64, begin: UInt64, next: UInt64, bits: UInt64, id: UInt64
  ) -> LogRecord? {
    guard let sequence = space.word(at: info &+ members.sequence), let time = space.word(at: info &+ members.time),
      let length = space.integer(UInt16.self, at: info &+ members.length),
      // facility u8, then flags:5 and level:3, stand between text_len and caller_id.
      let facility = space.integer(UInt8.self, at: info &+ members.length &+ 2),
      let level = space.integer(UInt8.self, at: info &+ members.length &+ 3),
      let caller = space.integer(UInt32.self, at: info &+ members.caller)
    else { return nil }
    var message = ""
    // Both lowest bits say that there is no text.
    if !(begin & 1 == 1 && next & 1 == 1) {
      let size = UInt64(1) << bits
      // A block that would pass the end of the ring stands at its beginning.
      let wraps = begin >> bits != (next &- 1) >> bits
      let start = wraps ? 0 : begin & (size - 1)
      let end = wraps ? next & (size - 1) : start &+ (next &- begin)
      guard end >= start + 8, end <= size, space.word(at: text &+ start) == id else { return nil }
      let count = min(Int(end - start - 8), Int(length))
      guard let bytes = space.bytes(at: text &+ start &+ 8, count: count) else { return nil }
      message = String(decoding: bytes, as: UTF8.self)
    }
    return LogRecord(
      // Recorded always since 5.10, whether or not the kernel prints it (CONFIG_PRINTK_CALLER).
      sequence: sequence, timestamp: time, level: Int(level >> 5), facility: Int(facility), caller: Self.name(caller),
      text: message)
  }

  /// A caller_id: a CPU where the top bit is set, else a task, 0 being the idle task that boots.
  private static func name(_ caller: UInt32) -> String {
    caller >> 31 == 1 ? "C\(caller & 0x7fff_ffff)" : "T\(caller)"
  }

  // MARK: - The buffer before 5.10

  private func bufferRecords() -> Listing<LogRecord> {
    var result = Listing<LogRecord>()
    func half(_ name: String) -> UInt32? { symbol(name).flatMap { space.integer(UInt32.self, at: $0) } }
    guard let buffer = symbol("log_buf").flatMap({ space.word(at: $0) }), let size = half("log_buf_len"),
      let first = half("log_first_idx"), let next = half("log_next_idx"), size <= 1 << 30,
      let bytes = space.bytes(at: buffer, count: Int(size))
    else {
      result.notes.append("the log cannot be read: it is not in the dump, or damaged")
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
    // Equal indices mean a full buffer as well as an empty one: one record must be looked at.
    var here = Int(first)
    var sequence = symbol("log_first_seq").flatMap { space.word(at: $0) } ?? 0
    var seen = 0
    guard header >= 16 else {
      result.notes.append("the log cannot be read: VMCOREINFO says that its records have \(header) bytes")
      return result
    }
    repeat {
      guard let length = integer(here + lengthAt, 2), let time = integer(here + timeAt, 8),
        let text = integer(here + textAt, 2), let facility = integer(here + textAt + 4, 1),
        let level = integer(here + textAt + 5, 1)
      else {
        result.notes.append("the log breaks off: a record lies beyond its end")
        break
      }
      if length == 0 {
        // The record that would be here did not fit: it is at the beginning.
        guard here != 0 else { break }
        here = 0
        continue
      }
      guard Int(length) >= header, header + Int(text) <= Int(length), here + Int(length) <= bytes.count else {
        result.notes.append("the log breaks off: a record is damaged")
        break
      }
      let caller = header >= 20 ? integer(here + 16, 4).flatMap { Self.name(UInt32($0)) } : nil
      result.elements.append(
        LogRecord(
          sequence: sequence, timestamp: time, level: Int(level >> 5), facility: Int(facility), caller: caller,
          text: String(decoding: bytes[(here + header)..<(here + header + Int(text))], as: UTF8.self)))
      sequence &+= 1
      here += Int(length)
      seen += Int(length)
    } while here != Int(next) && seen <= bytes.count
    if result.notes.isEmpty, here != Int(next) { result.notes.append("the log runs in a circle: it is damaged") }
    return result
  }
}
