/// `struct disk_dump_header`, 64-bit layout: block 0 of a kdump file. (makedumpfile, diskdump_mod.h)
enum DiskDumpHeader {
  static let headerVersion = HeaderField<UInt32>(8)
  /// `utsname`, six texts of 65 bytes, and `timestamp`, a `struct timeval`.
  static let identity: Range<UInt64> = 12..<424
  /// `utsname.machine` in `identity`: the fifth text.
  static let machine = (4 * 65)..<(5 * 65)
  /// `timestamp.tv_sec`.
  static let timestamp = HeaderField<UInt64>(408)
  static let status = HeaderField<UInt32>(424)
  static let blockSize = HeaderField<Int32>(428)
  static let subHeaderBlocks = HeaderField<UInt32>(432)
  static let bitmapBlocks = HeaderField<UInt32>(436)
  /// `max_mapnr`, truncated to 32 bits; version 6 has a wider one in the sub-header.
  static let frameCount = HeaderField<UInt32>(440)
  /// `total_ram_blocks`.
  static let ramBlocks = HeaderField<UInt32>(444)
  static let writtenBlocks = HeaderField<UInt32>(452)
  /// `nr_cpus`.
  static let cpuCount = HeaderField<UInt32>(460)
  /// Bytes of the fields up to `nr_cpus`.
  static let size: UInt64 = 464
}

/// `struct kdump_sub_header`, 64-bit layout: block 1. Later versions of the header append fields. (makedumpfile,
/// diskdump_mod.h)
enum KdumpSubHeader {
  /// `phys_base`.
  static let physicalBase = HeaderField<UInt64>(0)
  static let dumpLevel = HeaderField<Int32>(8)
  /// `split`, from version 2 on.
  static let isSplit = HeaderField<Int32>(12)
  /// `start_pfn` and `end_pfn`.
  static let firstFrame = HeaderField<UInt64>(16)
  static let endFrame = HeaderField<UInt64>(24)
  /// `offset_vmcoreinfo` and `size_vmcoreinfo`, from version 3 on.
  static let vmcoreinfoOffset = HeaderField<UInt64>(32)
  static let vmcoreinfoSize = HeaderField<UInt64>(40)
  /// `offset_note` and `size_note`, from version 4 on.
  static let notesOffset = HeaderField<UInt64>(48)
  static let notesSize = HeaderField<UInt64>(56)
  /// `offset_eraseinfo` and `size_eraseinfo`, from version 5 on.
  static let eraseInfoOffset = HeaderField<UInt64>(64)
  static let eraseInfoSize = HeaderField<UInt64>(72)
  /// `start_pfn_64`, `end_pfn_64` and `max_mapnr_64`, from version 6 on.
  static let firstFrame64 = HeaderField<UInt64>(80)
  static let endFrame64 = HeaderField<UInt64>(88)
  static let frameCount64 = HeaderField<UInt64>(96)
}
