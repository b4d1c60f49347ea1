/// A kernel with tables of any shape, and just what it takes to find them:
///
///     physical    virtual             what
///     40200000    ffff900000200000    _stext: a page, or 64 KiB
///     41000000    ffff900001000000    swapper_pg_dir; the other tables from 41100000 on
///
/// It has no linear map, and its VMCOREINFO no PHYS_OFFSET. kimage_voffset is ffff8fffc0000000. The address of the text is one of 48 bits and of more alike.
public struct ShapedKernel: Sendable {
  /// `_stext`.
  public static let text: UInt64 = 0xffff_9000_0020_0000
  /// Where that is.
  public static let textPhysical: UInt64 = 0x4020_0000
  /// kimage_voffset.
  public static let kimageVoffset: UInt64 = 0xffff_8fff_c000_0000
  /// The physical address of swapper_pg_dir.
  public static let root: UInt64 = 0x4100_0000
  /// AF, UXN, AP[2]: text.
  private static let executable: UInt64 = 0x0040_0000_0000_0480

  /// Its tables. A test may add to them, or spoil them.
  public var writer: TableWriter
  /// The lines of its VMCOREINFO.
  public var vmcoreinfo: [String]
  /// The first words of the text's page.
  public var textWords: [UInt64] = []

  /// Makes tables for `bits` bits that map the text. VMCOREINFO says that VA_BITS is `vaBits`, and nothing of TCR_EL1.
  public init(_ granule: TableWriter.Granule, _ encoding: TableWriter.Encoding, tableBits bits: Int, vaBits: Int) {
    writer = TableWriter(granule, encoding, vaBits: bits, root: Self.root, firstTable: 0x4110_0000)
    // Without LPA2 bits 9:8 are SH, inner shareable.
    let attributes = Self.executable | (encoding == .lpa2 ? 0 : 3 << 8)
    writer.map(Self.text, to: Self.textPhysical, attributes: attributes)
    writer.map(Self.root &+ Self.kimageVoffset, to: Self.root, attributes: attributes)
    let root = String(Self.root &+ Self.kimageVoffset, radix: 16)
    vmcoreinfo = [
      "OSRELEASE=6.12.0-shaped", "PAGESIZE=\(granule.bytes)", "SYMBOL(swapper_pg_dir)=\(root)",
      "SYMBOL(_stext)=\(String(Self.text, radix: 16))", "NUMBER(VA_BITS)=\(vaBits)",
      "NUMBER(kimage_voffset)=0x\(String(Self.kimageVoffset, radix: 16))", "KERNELOFFSET=0",
    ]
  }

  /// Its core: the text, the tables, and the note.
  public func write(to path: String) throws {
    var text = [UInt8].zeros(Int(writer.granule.bytes))
    for (index, word) in textWords.enumerated() {
      text.replaceSubrange((index * 8)..<(index * 8 + 8), with: [UInt8](little: word))
    }
    let tables = writer.pages.map { CoreWriter.Segment($0.address, $0.bytes) }
    let notes =
      CoreWriter.prstatus(pid: 1, registers: [])
      + CoreWriter.vmcoreinfo(vmcoreinfo.joined(separator: "\n") + "\n")
    try CoreWriter(notes: notes, [.init(Self.textPhysical, text)] + tables).write(to: path)
  }
}
