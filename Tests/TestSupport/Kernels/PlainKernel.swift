/// A kernel of 2 MiB made by hand, of any page size and width: its image and its linear map are all of RAM, its root
/// table is at 40100000, and its other tables follow.
public struct PlainKernel: Sendable {
  /// Where RAM begins, and `_stext` is.
  public static let ram: UInt64 = 0x4000_0000
  /// Bytes of RAM.
  public static let ramSize: UInt64 = 2 << 20

  /// The virtual address of `_stext`.
  public let text: UInt64
  /// Where the linear map has the first byte of RAM.
  public let linear: UInt64
  /// Its tables. A test may spoil them.
  public var writer: TableWriter
  /// Words of RAM besides the tables, by their address.
  public var memory: [UInt64: UInt64] = [:]
  /// The lines of its VMCOREINFO.
  public var vmcoreinfo: [String]
  /// The registers of its one CPU: x0 to x30, sp, pc, pstate.
  public var registers: [UInt64] = []
  /// The lines of a System.map.
  public var systemMap: String

  /// Makes one whose linear map begins with RAM.
  ///
  /// - Parameters:
  ///   - shape: the width that the tables are shaped for.
  ///   - bits: VA_BITS.
  public init(
    _ granule: TableWriter.Granule, _ encoding: TableWriter.Encoding, shape: Int, bits: Int, release: String,
    text: UInt64, linear: UInt64
  ) {
    self.text = text
    self.linear = linear
    writer = TableWriter(granule, encoding, vaBits: shape, root: 0x4010_0000, firstTable: 0x4011_0000)
    for offset in stride(from: 0, to: Self.ramSize, by: Int(granule.bytes)) {
      writer.map(text + offset, to: Self.ram + offset, attributes: AuditedKernel.data)
      writer.map(linear + offset, to: Self.ram + offset, attributes: AuditedKernel.data)
    }
    systemMap = "\(String(text, radix: 16)) T _stext\n"
    vmcoreinfo = [
      "OSRELEASE=\(release)-plain", "PAGESIZE=\(granule.bytes)",
      "SYMBOL(swapper_pg_dir)=\(String(text + 0x10_0000, radix: 16))", "SYMBOL(_stext)=\(String(text, radix: 16))",
      "NUMBER(VA_BITS)=\(bits)", "NUMBER(kimage_voffset)=0x\(String(text &- Self.ram, radix: 16))",
      "NUMBER(PHYS_OFFSET)=0x40000000", "KERNELOFFSET=0",
    ]
  }

  /// Writes its core to `path`.
  public func write(to path: String) throws {
    var ram = [UInt8].zeros(Int(Self.ramSize))
    func put(_ address: UInt64, _ bytes: [UInt8]) {
      guard address >= Self.ram, address < Self.ram + Self.ramSize else { return }
      let start = Int(address - Self.ram)
      ram.replaceSubrange(start..<(start + bytes.count), with: bytes)
    }
    for (address, word) in writer.words { put(address, [UInt8](little: word)) }
    for (address, word) in memory { put(address, [UInt8](little: word)) }
    var notes = CoreWriter.prstatus(pid: 1, registers: registers)
    if !vmcoreinfo.isEmpty { notes += CoreWriter.vmcoreinfo(vmcoreinfo.map { $0 + "\n" }.joined()) }
    try CoreWriter(notes: notes, [.init(Self.ram, ram)]).write(to: path)
  }
}
