/// A kernel of a few pages, made by hand: 4 KiB pages, 48-bit addresses, four levels of tables.
///
///     physical    virtual             what
///     40000000    ffff800008000000    _stext
///     40001000    ffff800008001000    swapper_pg_dir (level 0)
///     40002000                        its table of level 1, 40003000 of level 2, 40004000 of level 3
///     40005000    ffff800008005000    a page of known bytes
///     4000f000                        the last page
///
/// The level 3 table maps each of the sixteen pages but page 6.
public struct HandmadeKernel: Sendable {
  /// Where its memory begins.
  public static let base: UInt64 = 0x4000_0000
  /// The virtual address of `base`.
  public static let text: UInt64 = 0xffff_8000_0800_0000
  /// kimage_voffset.
  public static let kimageVoffset = text &- base
  /// The physical addresses of the tables of level 0 to 3.
  public static let tables: [UInt64] = [0x4000_1000, 0x4000_2000, 0x4000_3000, 0x4000_4000]
  /// The index that `text` has in the table of each level.
  public static let indices: [UInt64] = [0x100, 0, 0x40, 0]

  /// Its sixteen pages.
  public var memory: [UInt8] = .zeros(16 << 12)
  /// The lines of its VMCOREINFO, by key.
  public var vmcoreinfo = [
    "OSRELEASE=6.1.0-handmade", "PAGESIZE=4096", "SYMBOL(swapper_pg_dir)=ffff800008001000",
    "SYMBOL(_stext)=ffff800008000000", "NUMBER(VA_BITS)=48", "NUMBER(TCR_EL1_T1SZ)=0x10",
    "NUMBER(kimage_voffset)=0xffff7fffc8000000", "NUMBER(PHYS_OFFSET)=0x40000000", "KERNELOFFSET=0",
  ]

  /// Makes it.
  public init() {
    for level in 0..<3 {
      setWord(Self.tables[level + 1] | 3, at: Self.tables[level] + Self.indices[level] * 8)
    }
    // Valid, AF, inner shareable, UXN, PXN.
    for page in 0..<UInt64(16) where page != 6 {
      setWord(Self.base + page << 12 | 0x60_0000_0000_0703, at: Self.tables[3] + page * 8)
    }
    for index in 0..<4096 { memory[0x5000 + index] = Self.knownByte(index) }
  }

  /// The byte `index` of the page of known bytes.
  public static func knownByte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: index &* 7 &+ index >> 8) }

  /// Sets the word at physical `address`.
  public mutating func setWord(_ value: UInt64, at address: UInt64) {
    let start = Int(address - Self.base)
    memory.replaceSubrange(start..<(start + 8), with: [UInt8](little: value))
  }

  /// Sets the entry that translates `text` in the table of `level`.
  public mutating func setEntry(_ value: UInt64, level: Int) {
    setWord(value, at: Self.tables[level] + Self.indices[level] * 8)
  }

  /// Its core: one CPU, the VMCOREINFO note where there are lines for it, and its memory.
  public var core: CoreWriter {
    var notes = CoreWriter.prstatus(pid: 1, registers: [])
    if !vmcoreinfo.isEmpty { notes += CoreWriter.vmcoreinfo(vmcoreinfo.joined(separator: "\n") + "\n") }
    return CoreWriter(notes: notes, [.init(Self.base, memory)])
  }
}
