/// A kernel of 4 MiB made by hand, sound in every way that an audit looks at: 4 KiB pages, 48-bit addresses.
///
///     physical            virtual             what
///     40000000-4000ffff   ffff800008000000    text: read-only, executable
///     40010000-4001ffff   ffff800008010000    read-only data
///     40020000-4002ffff   ffff800008020000    data
///     40000000-403fffff   ffff000000000000    the linear map; text and read-only data read-only there too
///     40200000            ffff800010000000    a page of vmalloc
///     09000000            ffff800010002000    a device's registers
///     40210000-4021ffff   ffff800010010000    sixteen contiguous pages of vmalloc
///     40300000-4030ffff   fffffc0000000000    vmemmap
///     40100000            ffff800008100000    swapper_pg_dir; the other tables from 40110000 on
public struct AuditedKernel: Sendable {
  /// Where RAM begins.
  public static let ram: UInt64 = 0x4000_0000
  /// Bytes of RAM.
  public static let ramSize: UInt64 = 4 << 20
  /// PAGE_OFFSET.
  public static let linear: UInt64 = 0xffff_0000_0000_0000
  /// The image.
  public static let text: UInt64 = 0xffff_8000_0800_0000
  /// The page of vmalloc.
  public static let vmalloc: UInt64 = 0xffff_8000_1000_0000
  /// The device's page.
  public static let device: UInt64 = 0xffff_8000_1000_2000
  /// The contiguous pages.
  public static let contiguous: UInt64 = 0xffff_8000_1001_0000
  /// The array of struct page, of 64 bytes each.
  public static let vmemmap: UInt64 = 0xffff_fc00_0000_0000

  /// AF, inner shareable, UXN, PXN: data.
  public static let data: UInt64 = 0x0060_0000_0000_0700
  /// Besides, AP[2].
  public static let readOnly: UInt64 = data | 0x80
  /// AF, inner shareable, UXN, AP[2]: text.
  public static let executable: UInt64 = 0x0040_0000_0000_0780
  /// AttrIndx 4: Device-nGnRE in kernels since 5.14.
  public static let deviceType: UInt64 = 4 << 2

  /// Its tables. A test may spoil them.
  public var writer = TableWriter(.k4, .bits48, vaBits: 48, root: 0x4010_0000, firstTable: 0x4011_0000)
  /// The lines of its VMCOREINFO.
  public var vmcoreinfo = [
    "OSRELEASE=6.1.0-audited", "PAGESIZE=4096", "SYMBOL(swapper_pg_dir)=ffff800008100000",
    "SYMBOL(_stext)=ffff800008000000", "NUMBER(VA_BITS)=48", "NUMBER(TCR_EL1_T1SZ)=0x10",
    "NUMBER(kimage_voffset)=0xffff7fffc8000000", "NUMBER(PHYS_OFFSET)=0x40000000", "KERNELOFFSET=0",
    "OFFSET(uts_namespace.name)=0", "NUMBER(MAX_PHYSMEM_BITS)=44", "SIZE(page)=64", "OFFSET(page._mapcount)=48",
    "OFFSET(page.private)=40", "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129",
  ]
  /// The registers of its one CPU: x0 to x30, sp, pc, pstate.
  public var registers: [UInt64] = []
  /// Words of RAM besides the tables, by their address.
  public var memory: [UInt64: UInt64] = [:]
  /// Where the ELF file ends instead of where it should.
  public var bytesCutOff: UInt64 = 0
  /// Bytes at the end of RAM that were left out of the dump.
  public var bytesFiltered: UInt64 = 0

  /// Makes it.
  public init() {
    for page in 0..<48 {
      let attributes = page < 16 ? Self.executable : page < 32 ? Self.readOnly : Self.data
      writer.map(Self.text + UInt64(page) << 12, to: Self.ram + UInt64(page) << 12, attributes: attributes)
    }
    for page in 0..<(Self.ramSize >> 12) {
      writer.map(
        Self.linear + page << 12, to: Self.ram + page << 12, attributes: page < 32 ? Self.readOnly : Self.data)
    }
    writer.map(Self.text + 0x10_0000, to: 0x4010_0000, attributes: Self.data)
    writer.map(Self.vmalloc, to: 0x4020_0000, attributes: Self.data)
    writer.map(Self.device, to: 0x0900_0000, attributes: Self.data | Self.deviceType)
    for page in 0..<16 {
      writer.map(
        Self.contiguous + UInt64(page) << 12, to: 0x4021_0000 + UInt64(page) << 12, attributes: Self.data | 1 << 52)
    }
    for page in 0..<16 {
      writer.map(Self.vmemmap + UInt64(page) << 12, to: 0x4030_0000 + UInt64(page) << 12, attributes: Self.data)
    }
    // No page is free: _mapcount is -1, page.private 0.
    for page in 0..<(Self.ramSize >> 12) { memory[0x4030_0000 + page * 64 + 48] = 0xffff_ffff }
  }

  /// The entry of level 3 that maps `virtual`, changed by `change`.
  public mutating func change(_ virtual: UInt64, level: Int = 3, _ change: (UInt64) -> UInt64) {
    // Mapping a place again with what is there already gives the path to it, and spoils nothing above.
    var table = writer.root
    for upper in 0..<level {
      let entry = table + 8 * (virtual >> UInt64(39 - 9 * upper) & 511)
      table = (writer.words[entry] ?? 0) & 0xffff_ffff_f000
    }
    let entry = table + 8 * (virtual >> UInt64(39 - 9 * level) & 511)
    writer.words[entry] = change(writer.words[entry] ?? 0)
  }

  /// Marks the page at `physical` as the first of a free block of 2^`order` pages.
  public mutating func free(_ physical: UInt64, order: UInt64 = 0) {
    let page = 0x4030_0000 + (physical - Self.ram) >> 12 * 64
    memory[page + 48] = 0xffff_ff7f
    memory[page + 40] = order
  }

  /// Its core.
  public func write(to path: String) throws {
    var ram = [UInt8].zeros(Int(Self.ramSize))
    func put(_ address: UInt64, _ bytes: [UInt8]) {
      guard address >= Self.ram, address < Self.ram + Self.ramSize else { return }
      let start = Int(address - Self.ram)
      ram.replaceSubrange(start..<(start + bytes.count), with: bytes)
    }
    for page in writer.pages { put(page.address, page.bytes) }
    for (address, word) in memory { put(address, [UInt8](little: word)) }
    let notes =
      CoreWriter.prstatus(pid: 1, registers: registers)
      + CoreWriter.vmcoreinfo(vmcoreinfo.joined(separator: "\n") + "\n")
    ram.removeLast(Int(bytesFiltered))
    let segment = CoreWriter.Segment(Self.ram, ram, memorySize: Self.ramSize)
    let core = CoreWriter(notes: notes, [segment])
    let size = UInt64(core.bytes().count) - bytesCutOff
    try core.write(to: path, size: size)
  }
}
