import Foundation
import TestSupport

/// A dump of a kernel that never ran, made from a seed: tables, kallsyms and VMCOREINFO are in order, and the rest of
/// memory is as compressible as kernels' memory is.
///
///     physical      virtual
///     40000000      half + 8000000       the image, 16 MiB: _stext, 12 MiB on kallsyms
///     41000000                           the tables
///     all of it     the lowest address   the linear map, page by page
///     pages of it   half + 400000000     vmalloc space, in no order, too far from the image for modules
///
/// With tasks it has those of `MadeTasks`.
struct MadeDump {
  /// Page size and width of addresses, and where descriptors keep them.
  struct Shape {
    var name: String
    var granule: TableWriter.Granule
    var encoding: TableWriter.Encoding
    var vaBits: Int

    /// Every number of levels of every page size.
    static let all = [
      Shape(name: "4k-39", granule: .k4, encoding: .bits48, vaBits: 39),
      Shape(name: "4k-48", granule: .k4, encoding: .bits48, vaBits: 48),
      Shape(name: "4k-52", granule: .k4, encoding: .lpa2, vaBits: 52),
      Shape(name: "16k-36", granule: .k16, encoding: .bits48, vaBits: 36),
      Shape(name: "16k-47", granule: .k16, encoding: .bits48, vaBits: 47),
      Shape(name: "16k-52", granule: .k16, encoding: .lpa2, vaBits: 52),
      Shape(name: "64k-42", granule: .k64, encoding: .lpa, vaBits: 42),
      Shape(name: "64k-52", granule: .k64, encoding: .lpa, vaBits: 52),
    ]
    /// What most kernels have.
    static let usual = all[1]
  }

  private static let base: UInt64 = 0x4000_0000
  private static let imageSize: UInt64 = 16 << 20

  let shape: Shape
  /// The notes.
  let notes: [UInt8]
  /// The lines of VMCOREINFO.
  let vmcoreinfo: String
  /// All of memory, from 0x40000000 on.
  private(set) var memory: [UInt8]

  /// Makes one with `size` bytes of memory, `symbols` symbols, and as many pages in vmalloc space as in memory.
  ///
  /// - Parameter tasks: how many tasks it has, if they fit.
  init(_ shape: Shape, size: Int, symbols: Int, tasks: Int = 0, seed: UInt64) {
    self.shape = shape
    var generator = SeededGenerator(seed: seed)
    memory = Self.contents(size, &generator)
    let half: UInt64 = 0 &- (1 << UInt64(shape.vaBits - 1))
    let text = half &+ 0x800_0000
    let page = shape.granule.bytes

    var tables = TableWriter(
      shape.granule, shape.encoding, vaBits: shape.vaBits, root: Self.base + Self.imageSize,
      firstTable: Self.base + Self.imageSize + 0x1_0000)
    // AF, UXN, PXN; inner shareable, where the format does not keep address bits there.
    let attributes: UInt64 = 0x60_0000_0000_0400 | (shape.encoding == .lpa2 ? 0 : 0x300)
    // Tasks return to code that may be executed: no PXN.
    let code = tasks > 0 ? attributes & ~(1 << 53) : attributes
    for offset in stride(from: 0, to: Self.imageSize, by: Int(page)) {
      tables.map(text &+ offset, to: Self.base + offset, attributes: code)
    }
    let linear: UInt64 = 0 &- (1 << UInt64(shape.vaBits))
    for offset in stride(from: 0, to: UInt64(size), by: Int(page)) {
      tables.map(linear &+ offset, to: Self.base + offset, attributes: attributes)
      let elsewhere = generator.next() % (UInt64(size) / page) * page
      // Every other page may not be written, so that no two neighbours are alike.
      tables.map(
        half &+ 0x4_0000_0000 &+ offset, to: Self.base + elsewhere, attributes: attributes | (offset / page & 1) << 7)
    }

    var list: [(type: Character, name: String, address: UInt64)] = [("T", "_stext", text)]
    let parts = ["alloc", "page", "node", "irq", "sched", "net", "ext4", "lock", "queue", "task", "vma", "probe"]
    for number in 0..<symbols {
      let name = (0..<3).map { _ in parts[Int(generator.next() % UInt64(parts.count))] }.joined(separator: "_")
      list.append(("t", "\(name)_\(number)", text &+ 64 + UInt64(number) * 192))
    }
    let place: UInt64 = 12 << 20
    let kallsyms = KallsymsWriter(list, .v64, at: text &+ place)
    var lines = [
      "OSRELEASE=6.12.0-made", "PAGESIZE=\(page)", "KERNELOFFSET=0",
      "SYMBOL(swapper_pg_dir)=" + String(text &+ Self.imageSize, radix: 16),
      "SYMBOL(_stext)=" + String(text, radix: 16),
      "NUMBER(VA_BITS)=\(shape.vaBits)", "NUMBER(TCR_EL1_T1SZ)=0x" + String(64 - shape.vaBits, radix: 16),
      "NUMBER(kimage_voffset)=0x" + String(text &- Self.base, radix: 16), "NUMBER(PHYS_OFFSET)=0x40000000",
    ]
    for (label, address) in kallsyms.labels.sorted(by: { $0.value < $1.value })
    where label != "kallsyms_markers" && label != "kallsyms_seqs_of_names" {
      lines.append("SYMBOL(\(label))=" + String(address, radix: 16))
    }
    let made =
      tasks == 0
      ? nil
      : MadeTasks(
        tasks, base: Self.base, size: size, text: text, linear: linear, functions: symbols, &generator)
    lines += made?.lines ?? []
    vmcoreinfo = lines.joined(separator: "\n") + "\n"
    notes = CoreWriter.prstatus(pid: 1, registers: []) + CoreWriter.vmcoreinfo(vmcoreinfo)

    memory.withUnsafeMutableBytes { bytes in
      bytes.baseAddress?.advanced(by: Int(place)).copyMemory(from: kallsyms.bytes, byteCount: kallsyms.bytes.count)
      for (table, size) in tables.tables {
        bytes.baseAddress?.advanced(by: Int(table - Self.base)).initializeMemory(
          as: UInt8.self, repeating: 0, count: Int(size))
      }
      for (number, byte) in (made?.btf ?? []).enumerated() {
        bytes[Int(MadeTasks.btfPlace - Self.base) + number] = byte
      }
      for (address, word) in (made?.words ?? []) + tables.words.map({ ($0.key, $0.value) }) {
        bytes.storeBytes(of: word.littleEndian, toByteOffset: Int(address - Self.base), as: UInt64.self)
      }
    }
  }

  /// Pieces of 64 bytes out of a few thousand, some bytes of them changed: about as compressible as the memory of a
  /// running kernel. A sixth of the pages is zero.
  private static func contents(_ size: Int, _ generator: inout SeededGenerator) -> [UInt8] {
    let pieces = (0..<4096).map { _ in generator.bytes(64) }
    return [UInt8](unsafeUninitializedCapacity: size) { memory, count in
      for page in stride(from: 0, to: size, by: 4096) {
        let isZero = generator.next() % 6 == 0
        for place in stride(from: page, to: page + 4096, by: 64) {
          let choice = generator.next()
          let piece = pieces[Int(choice % 4096)]
          for index in 0..<64 { memory[place + index] = isZero ? 0 : piece[index] }
          if !isZero, choice >> 12 & 1 == 0 { memory[place + Int(choice >> 16 & 63)] = UInt8(choice >> 24 & 0xff) }
        }
      }
      count = size
    }
  }

  /// Writes it as an ELF core.
  func writeELF(to path: String) throws {
    try CoreWriter(notes: notes, [CoreWriter.Segment(Self.base, memory, offset: 0x10000)]).write(to: path)
  }

  /// Writes it as a kdump-compressed file.
  func writeKdump(_ codec: KdumpCodec, to path: String) throws {
    let block = Int(shape.granule.bytes)
    let first = Self.base / UInt64(block)
    var pages: [UInt64: KdumpWriter.Page] = [:]
    for number in 0..<(memory.count / block) {
      let bytes = Array(memory[(number * block)..<((number + 1) * block)])
      pages[first + UInt64(number)] = bytes.allSatisfy { $0 == 0 } ? .zero : .kept(bytes, codec)
    }
    var writer = KdumpWriter(frameCount: first + UInt64(memory.count / block), pages)
    writer.blockSize = UInt64(block)
    writer.status = codec.flag
    writer.dumpLevel = 0
    writer.notes = notes
    writer.vmcoreinfo = vmcoreinfo
    try writer.write(to: path)
  }
}
