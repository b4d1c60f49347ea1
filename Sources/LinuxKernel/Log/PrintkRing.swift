import Bytes
import DebugInfo

/// The layout of the printk ring buffer, since 5.10.
///
///     desc_ring:      descs[2^count_bits] | infos, side by side      ids count up; the low bits are the index
///     text_data_ring: data[2^size_bits]                              blocks of an id and text
///
/// (kernel/printk/printk_ringbuffer.h and .c)
struct PrintkRing {
  private let countBits, descriptors, infos, head, tail, sizeBits, data: UInt64
  private let descriptorSize, infoSize: UInt64
  private let state, blockBegin, blockNext: UInt64
  private let sequence, time, textLength, caller: UInt64

  /// nil if a member is unknown.
  ///
  /// - Parameters:
  ///   - offset: the offset of `TYPE.MEMBER`.
  ///   - size: the size of a type.
  init?(_ offset: (String) -> UInt64?, _ size: (String) -> Int?) {
    guard let descRing = offset("printk_ringbuffer.desc_ring"),
      let textRing = offset("printk_ringbuffer.text_data_ring"),
      let countBits = offset("prb_desc_ring.count_bits"), let descriptors = offset("prb_desc_ring.descs"),
      let infos = offset("prb_desc_ring.infos"), let head = offset("prb_desc_ring.head_id"),
      let tail = offset("prb_desc_ring.tail_id"), let sizeBits = offset("prb_data_ring.size_bits"),
      let data = offset("prb_data_ring.data"), let descriptorSize = size("prb_desc"),
      let state = offset("prb_desc.state_var"), let block = offset("prb_desc.text_blk_lpos"),
      let begin = offset("prb_data_blk_lpos.begin"), let next = offset("prb_data_blk_lpos.next"),
      let infoSize = size("printk_info"), let sequence = offset("printk_info.seq"),
      let time = offset("printk_info.ts_nsec"), let textLength = offset("printk_info.text_len"),
      let caller = offset("printk_info.caller_id"), descriptorSize > 0, infoSize > 0,
      (descriptorSize | infoSize) & 7 == 0,
      (sequence | time) & 7 == 0, sequence != time, textLength & 1 == 0, caller & 3 == 0,
      max(sequence, time) &+ 8 <= UInt64(infoSize), max(textLength, caller) &+ 4 <= UInt64(infoSize)
    else { return nil }
    self.countBits = descRing &+ countBits
    self.descriptors = descRing &+ descriptors
    self.infos = descRing &+ infos
    self.head = descRing &+ head
    self.tail = descRing &+ tail
    self.sizeBits = textRing &+ sizeBits
    self.data = textRing &+ data
    self.descriptorSize = UInt64(descriptorSize)
    self.infoSize = UInt64(infoSize)
    self.state = state
    blockBegin = block &+ begin
    blockNext = block &+ next
    self.sequence = sequence
    self.time = time
    self.textLength = textLength
    self.caller = caller
  }

  /// The header fields of a ring in memory.
  private struct Ring {
    var descriptors, infos, text: UInt64
    /// The number of index bits in ids, and in text positions.
    var countBits, sizeBits: UInt64
    var head, tail: UInt64
    var indexMask: UInt64 { 1 << countBits - 1 }
  }

  /// The top two bits of `state_var` are the state, the others the id.
  private static let ids: UInt64 = 1 << 62 - 1
  /// Consecutive unreadable records after which the ring is given up: as many as fill a MiB of text.
  private static let lostRecords = 1 << 15

  private func ring(at address: UInt64, in space: KernelMemory) -> Ring? {
    guard let count = space.integer(UInt32.self, at: address &+ countBits), count <= Limits.logCountBits,
      let bits = space.integer(UInt32.self, at: address &+ sizeBits), bits < 40,
      let head = space.word(at: address &+ head), let tail = space.word(at: address &+ tail),
      let descriptors = space.word(at: address &+ descriptors), let infos = space.word(at: address &+ infos),
      let text = space.word(at: address &+ data)
    else { return nil }
    return Ring(
      descriptors: descriptors, infos: infos, text: text, countBits: UInt64(count), sizeBits: UInt64(bits), head: head,
      tail: tail)
  }

  /// Whether a ring is at `address`: its newest descriptor has the newest id.
  func isRing(at address: UInt64, _ space: KernelMemory) -> Bool {
    guard let ring = ring(at: address, in: space), (4...24).contains(ring.countBits), (8...30).contains(ring.sizeBits),
      ring.head & ~Self.ids == 0, ring.head &- ring.tail <= ring.indexMask,
      let state = space.word(at: ring.descriptors &+ (ring.head & ring.indexMask) &* descriptorSize &+ state)
    else { return false }
    return state & Self.ids == ring.head && space.word(at: ring.text) != nil && space.word(at: ring.infos) != nil
  }

  /// The memory of the ring at `address` and its parts; empty if it is damaged.
  func ranges(at address: UInt64, in space: KernelMemory) -> [Range<UInt64>] {
    guard let ring = ring(at: address, in: space) else { return [] }
    let count = UInt64(1) << ring.countBits
    return [
      (address, 4096), (ring.descriptors, count * descriptorSize), (ring.infos, count * infoSize),
      (ring.text, 1 << ring.sizeBits),
    ].compactMap { start, size in start <= .max - size ? start..<(start + size) : nil }
  }

  /// The messages of the ring at `address`, the oldest first.
  func records(at address: UInt64, in space: KernelMemory) -> Listing<LogRecord> {
    var result = Listing<LogRecord>()
    guard let ring = ring(at: address, in: space) else {
      result.note(.logUnreadable, text: "the log at \(hex(address)) cannot be read: it is not in the dump, or damaged")
      return result
    }
    var unreadable = 0
    var textLeft = Limits.logText
    // At most as many records as the ring has room for, whatever the numbers say.
    for step in 0...min((ring.head &- ring.tail) & Self.ids, ring.indexMask) {
      let id = (ring.tail &+ step) & Self.ids
      let index = id & ring.indexMask
      let descriptor = ring.descriptors &+ index &* descriptorSize
      guard let state = space.word(at: descriptor &+ state) else {
        unreadable += 1
        // Give up on a ring that is not in the dump.
        if unreadable > Self.lostRecords { break }
        continue
      }
      // Committed and finalized records are complete; a reserved one is still being written.
      guard state & Self.ids == id, state >> 62 == 1 || state >> 62 == 2 else { continue }
      guard let begin = space.word(at: descriptor &+ blockBegin), let next = space.word(at: descriptor &+ blockNext),
        let record = record(ring.infos &+ index &* infoSize, ring, begin: begin, next: next, id: id, in: space)
      else {
        unreadable += 1
        continue
      }
      textLeft -= record.text.utf8.count
      guard textLeft >= 0 else {
        result.note(.logCutShort, text: "the log has more than \(Limits.logText) bytes of text: the rest is left out")
        break
      }
      result.elements.append(record)
    }
    if result.elements.isEmpty, unreadable == 0 {
      result.note(.logUnreadable, text: "the log at \(hex(address)) has no message, as no kernel's has: it is damaged")
    }
    if unreadable > 0 {
      result.note(
        .messagesUnreadable, "\(unreadable)",
        text: "\(unreadable) messages cannot be read: not in the dump, or damaged")
    }
    return result
  }

  private func record(
    _ info: UInt64, _ ring: Ring, begin: UInt64, next: UInt64, id: UInt64, in space: KernelMemory
  ) -> LogRecord? {
    guard let sequence = space.word(at: info &+ sequence), let time = space.word(at: info &+ time),
      let length = space.integer(UInt16.self, at: info &+ textLength),
      // facility u8, then flags:5 and level:3, lie between text_len and caller_id.
      let facility = space.integer(UInt8.self, at: info &+ textLength &+ 2),
      let level = space.integer(UInt8.self, at: info &+ textLength &+ 3),
      let caller = space.integer(UInt32.self, at: info &+ caller),
      // A record keeps its slot in the ring, so its sequence number has the same index as its id (`prb_reserve`).
      sequence & ring.indexMask == id & ring.indexMask, LogRecord.isCaller(caller)
    else { return nil }
    var message = ""
    // Both lowest bits set mean that there is no text.
    if !(begin & 1 == 1 && next & 1 == 1) {
      let size = UInt64(1) << ring.sizeBits
      // A block that would cross the end of the ring is at its beginning.
      let wraps = begin >> ring.sizeBits != (next &- 1) >> ring.sizeBits
      let start = wraps ? 0 : begin & (size - 1)
      let end = wraps ? next & (size - 1) : start &+ (next &- begin)
      guard end >= start + 8, end <= size, space.word(at: ring.text &+ start) == id else { return nil }
      let count = min(Int(end - start - 8), Int(length))
      guard let bytes = space.bytes(at: ring.text &+ start &+ 8, count: count) else { return nil }
      message = String(decoding: bytes, as: UTF8.self)
    }
    return LogRecord(
      // Always recorded since 5.10, even if the kernel does not print it (CONFIG_PRINTK_CALLER).
      sequence: sequence, timestamp: time, level: Int(level >> 5), facility: Int(facility),
      caller: LogRecord.caller(caller), text: message)
  }
}

extension LogRecord {
  /// A caller_id: a CPU if the top bit is set, else a task; 0 is the boot CPU's idle task.
  static func caller(_ id: UInt32) -> String { id >> 31 == 1 ? "C\(id & 0x7fff_ffff)" : "T\(id)" }

  /// Whether there is such a caller: a CPU, or a PID (`PID_MAX_LIMIT`, include/linux/threads.h).
  static func isCaller(_ id: UInt32) -> Bool {
    id >> 31 == 1 ? id & 0x7fff_ffff < UInt32(Limits.cpus) : id <= 4 << 20
  }
}

extension KernelTypes {
  /// The offset of `TYPE.MEMBER`; MEMBER may contain dots.
  func offset(_ name: String) -> UInt64? {
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return nil }
    return member(parts[1], of: parts[0]).map { UInt64($0.offset) }
  }
}

extension PrintkRing {
  /// `prb`: the word in the data that points to a ring whose newest descriptor has the newest id.
  func find(_ search: DataSectionScan) -> UInt64? {
    search.pointer { isRing(at: $0, search.space) }
  }
}
