import Bytes

/// Little-endian ELF structures as bytes. (elf(5); include/uapi/linux/elf.h)
struct ELFWriter {
  /// The bytes written so far.
  private(set) var bytes: [UInt8] = []

  /// The size of `Elf64_Ehdr`.
  static let headerSize: UInt64 = 64
  static let programHeaderSize: UInt64 = 56
  static let sectionHeaderSize: UInt64 = 64
  static let symbolSize: UInt64 = 24
  /// More program headers than `e_phnum` can count: `sh_info` of section 0 has their number.
  static let manyHeaders = 0xffff

  private mutating func add(_ value: some FixedWidthInteger) {
    var rest = value
    for _ in 0..<(value.bitWidth / 8) {
      bytes.append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }

  /// `Elf64_Ehdr` of an arm64 file.
  ///
  /// - Parameters:
  ///   - system: EI_OSABI: 0 for none, 3 for Linux.
  ///   - entry: e_entry.
  mutating func header(
    type: UInt16, system: UInt8 = 0, entry: UInt64 = 0, programHeaders: (offset: UInt64, count: Int),
    sectionHeaders: (offset: UInt64, count: Int),
    names: Int
  ) {
    bytes += [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, system] + [UInt8](repeating: 0, count: 8)
    add(type)
    // EM_AARCH64, EV_CURRENT
    add(UInt16(183))
    add(UInt32(1))
    add(entry)
    add(programHeaders.offset)
    add(sectionHeaders.offset)
    add(UInt32(0))
    add(UInt16(Self.headerSize))
    add(programHeaders.count == 0 ? 0 : UInt16(Self.programHeaderSize))
    add(UInt16(min(programHeaders.count, Self.manyHeaders)))
    add(sectionHeaders.count == 0 ? 0 : UInt16(Self.sectionHeaderSize))
    add(UInt16(sectionHeaders.count))
    add(UInt16(names))
  }

  /// `Elf64_Phdr`.
  ///
  /// - Parameters:
  ///   - size: p_filesz.
  ///   - memorySize: p_memsz, if it differs; PT_NOTE has none.
  mutating func programHeader(
    type: UInt32, flags: UInt32, offset: UInt64, virtual: UInt64, physical: UInt64, size: UInt64,
    memorySize: UInt64? = nil, alignment: UInt64
  ) {
    add(type)
    add(flags)
    for value in [offset, virtual, physical, size, memorySize ?? (type == 4 ? 0 : size), alignment] { add(value) }
  }

  /// `Elf64_Shdr`.
  mutating func sectionHeader(
    name: Int = 0, type: UInt32 = 0, flags: UInt64 = 0, address: UInt64 = 0, offset: UInt64 = 0, size: UInt64 = 0,
    link: UInt32 = 0, info: UInt32 = 0, alignment: UInt64 = 0, entrySize: UInt64 = 0
  ) {
    add(UInt32(name))
    add(type)
    for value in [flags, address, offset, size] { add(value) }
    add(link)
    add(info)
    add(alignment)
    add(entrySize)
  }

  /// `Elf64_Sym`.
  mutating func symbol(name: Int, info: UInt8, section: UInt16, value: UInt64, size: UInt64) {
    add(UInt32(name))
    add(info)
    add(UInt8(0))
    add(section)
    add(value)
    add(size)
  }

  /// `Elf64_Nhdr` with its name and descriptor, each padded to four bytes.
  ///
  /// - Returns: the offset of the descriptor.
  @discardableResult
  mutating func note(name: String, type: UInt32, _ descriptor: [UInt8]) -> Range<Int> {
    add(UInt32(name.utf8.count + 1))
    add(UInt32(descriptor.count))
    add(type)
    bytes += Array(name.utf8) + [0]
    pad(to: 4)
    let start = bytes.count
    bytes += descriptor
    pad(to: 4)
    return start..<(start + descriptor.count)
  }

  /// `values`, one after another.
  static func words(_ values: [UInt64]) -> [UInt8] {
    var writer = ELFWriter()
    for value in values { writer.add(value) }
    return writer.bytes
  }

  private mutating func pad(to alignment: Int) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }
}
