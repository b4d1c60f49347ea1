import KernelVA

/// The input is a dump file of any format. Mapped and read, it says the same.
@Sendable func fuzzDump(_ bytes: [UInt8]) {
  let path = MemoryFile.path(bytes)
  // The length of the input says which way it is opened, and whether it is opened the other way as well.
  let isMapped = bytes.count & 1 == 0
  guard let dump = try? DumpFile(path: path, cacheSize: 1 << 18, isMapped: isMapped) else { return }
  exercise(dump)
  if bytes.count & 6 == 0, let other = try? DumpFile(path: path, cacheSize: 1 << 18, isMapped: !isMapped) {
    precondition(other.memory.ranges == dump.memory.ranges, "how a file is read changes nothing")
  }
  // All that a kernel holds is fuzzed by itself; here it is opened as its dump describes it.
  guard dump.notes.vmcoreinfo != nil,
    let kernel = try? Kernel(in: dump, debugInfo: DebugInfoSearch(isEnabled: false))
  else { return }
  for query in ["_stext", "0xffff800008005010"] { _ = kernel.resolve(query, trace: true) }
  _ = kernel.cpus
}

/// The input is one page of a kdump file as a codec packed it, behind a byte that says which.
@Sendable func fuzzCodec(_ bytes: [UInt8]) {
  guard let choice = bytes.first else { return }
  let flags: [UInt32] = [1, 2, 4, 0x20, 0, 3]
  let page = Array(bytes.dropFirst())
  let dump = try? DumpFile(
    path: MemoryFile.path(kdump(page, flags: flags[Int(choice) % flags.count])), cacheSize: 1 << 16)
  guard let dump else { preconditionFailure("the file around the page is sound") }
  _ = try? dump.memory.word(at: PhysicalAddress(8))
  _ = try? dump.memory.bytes(at: PhysicalAddress(0), count: 4096)
  dump.memory.scan { _, _ in true }
}

/// A kdump file of one frame of 4 KiB, stored as `page`.
private func kdump(_ page: [UInt8], flags: UInt32) -> [UInt8] {
  let block = 4096
  var file = [UInt8](repeating: 0, count: 4 * block)
  func put<T: FixedWidthInteger>(_ value: T, _ at: Int) {
    withUnsafeBytes(of: value.littleEndian) { file.replaceSubrange(at..<(at + $0.count), with: $0) }
  }
  file.replaceSubrange(0..<8, with: Array("KDUMP   ".utf8))
  put(UInt32(6), 8)  // header_version
  put(UInt32(block), 428)  // block_size
  put(UInt32(1), 432)  // sub_hdr_size
  put(UInt32(2), 436)  // bitmap_blocks
  put(UInt32(1), 440)  // max_mapnr
  put(UInt64(1), block + 96)  // max_mapnr_64
  file[2 * block] = 1
  file[3 * block] = 1
  file += [UInt8](repeating: 0, count: 24)
  put(UInt64(file.count), 4 * block)
  put(UInt32(page.count), 4 * block + 8)
  put(flags, 4 * block + 12)
  return file + page
}

/// Reads what a dump has, here and there and all of it.
func exercise(_ dump: DumpFile) {
  _ = dump.summary
  _ = dump.warnings
  let memory = dump.memory
  let ranges = memory.ranges
  var addresses: [UInt64] = [0, 8, .max, .max - 7, 1 << 40]
  for range in ranges.prefix(8) + ranges.suffix(2) {
    let (start, end) = (range.lowerBound.rawValue, range.upperBound.rawValue)
    addresses += [start, start &+ 4092, end &- 8, end &- 4, end, start &- 8]
  }
  for address in addresses {
    let place = PhysicalAddress(address)
    _ = try? memory.word(at: place)
    if let absence = memory.absence(at: place) { _ = dump.describe(MemoryFault(absence, at: place)) }
    _ = try? memory.bytes(at: place, count: 5000)
  }
  if let start = ranges.first?.lowerBound { _ = try? memory.bytes(at: start, count: 20_000) }
  memory.scan { _, bytes in bytes.byteCount > 0 }
  _ = try? dump.placed(at: PhysicalAddress(1 << 30))
}
