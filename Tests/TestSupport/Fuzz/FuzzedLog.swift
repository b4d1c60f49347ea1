/// The memory that the target `log` reads: see Fuzz/Sources/kva-fuzz/Kernels.swift.
enum FuzzedLog {
  static let start: UInt64 = 0xffff_8000_0801_0000
  private static let messages = ["Booting Linux on physical CPU 0x0", "Linux version 6.1.0", "done"]

  /// The ring of 5.10 and later: four descriptors, 512 bytes of text.
  static var ring: [UInt8] {
    var memory = WrittenMemory(start: start, bytes: .zeros(0x600))
    let (ring, descriptors, infos, text) = (start + 0x10, start + 0x100, start + 0x200, start + 0x400)
    memory.put(ring, start)
    let first: UInt64 = 0x3fff_ffff_ffff_fffe
    let last = first + UInt64(messages.count) - 1
    for (offset, value) in [(0, 2), (8, descriptors), (16, infos), (24, last), (32, first), (40, 9), (48, text)]
      as [(UInt64, UInt64)]
    { memory.put(value, ring + offset) }
    var begin: UInt64 = 512
    for (number, message) in messages.enumerated() {
      let id = (first + UInt64(number)) & (1 << 62 - 1)
      let slot = id & 3
      let next = begin + (8 + UInt64(message.utf8.count) + 7) & ~7
      memory.put(id | 2 << 62, descriptors + slot * 24)
      memory.put(begin, descriptors + slot * 24 + 8)
      memory.put(next, descriptors + slot * 24 + 16)
      // A record's number has the index of its slot.
      memory.put(first & 3 + UInt64(number), infos + slot * 88)
      memory.put(UInt64(number) * 1_000_000, infos + slot * 88 + 8)
      memory.put(UInt16(message.utf8.count), infos + slot * 88 + 16)
      memory.put(6 << 5 as UInt8, infos + slot * 88 + 19)
      memory.put(0x8000_0000 as UInt32, infos + slot * 88 + 20)
      memory.put(id, text + begin & 511)
      memory.put(message, text + begin & 511 + 8)
      begin = next
    }
    return memory.bytes
  }

  /// The buffer before 5.10.
  static var buffer: [UInt8] {
    var memory = WrittenMemory(start: start, bytes: .zeros(0x200))
    let buffer = start + 0x40
    memory.put(buffer, start)
    memory.put(0x100 as UInt32, start + 8)
    var here = buffer
    for (number, message) in messages.enumerated() {
      let length = (16 + message.utf8.count + 3) & ~3
      memory.put(UInt64(number) * 1_000_000, here)
      memory.put(UInt16(length), here + 8)
      memory.put(UInt16(message.utf8.count), here + 10)
      memory.put(6 << 5 as UInt8, here + 15)
      memory.put(message, here + 16)
      here += UInt64(length)
    }
    memory.put(UInt32(here - buffer), start + 16)
    return memory.bytes
  }
}
