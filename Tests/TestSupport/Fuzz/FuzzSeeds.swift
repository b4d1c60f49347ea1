import Foundation

/// The seeds of the fuzz targets, made by the tests' writers. `KVA_DEVELOPMENT=1 swift run fuzz-seeds` writes them to
/// TestData/fuzz; FuzzSeedTests says when they have fallen behind.
///
/// Other files there are inputs that once broke something; Fuzz/run begins with all of them.
public enum FuzzSeeds {
  /// What makes each, by the name of its file below TestData/fuzz: TARGET/NAME.
  public static let all: [String: @Sendable () throws -> [UInt8]] = [
    "elf/core": { core.bytes() },
    "elf/many-headers": {
      var file = core
      file.usesExtendedCount = true
      file.segments += [.init(0x8000_0000, memorySize: 0x10000), .init(0x9000_0000, offset: 1 << 40, fileSize: 4096)]
      return file.bytes()
    },
    "elf/device-dump": {
      var file = core
      // struct vmcoredd_header, whose name has eight bytes, before the other notes.
      let device = CoreWriter.note("LINUX\0\0", 0x700, Array("nic".utf8) + .zeros(41) + text(40))
      file.notes[0].contents = device + file.notes[0].contents
      return file.bytes()
    },
    "elf/overlap": {
      var file = core
      file.segments.append(.init(file.segments[0].physical + 512, text(1024)))
      return file.bytes()
    },
    "elf/xen": {
      XenCoreWriter.bytes([(0x40000, text(4096)), (.max, text(4096)), (0x40001, text(4096))])
    },
    "kdump/version6": { kdump(6).bytes() },
    "kdump/erased": {
      var writer = kdump(6)
      writer.eraseInfo = "erase task_struct.comm 16\n"
      writer.gap = 40
      return writer.bytes()
    },
    "kdump/version1": {
      var writer = kdump(1)
      writer.hasOneBitmap = true
      writer.signature = "DISKDUMP"
      return writer.bytes()
    },
    "kdump/part": {
      var writer = kdump(6)
      writer.part = 4..<12
      return writer.bytes()
    },
    "flattened/kdump": { FlattenedWriter(kdump(6).bytes(), recordSize: 700).bytes() },
    "flattened/elf": {
      let file = core.bytes()
      let late = FlattenedWriter.Record(64, Array(file[64..<176]))
      return FlattenedWriter([.init(0, file), .init(64, .zeros(112)), late]).bytes()
    },
    "lime/two": { LiMEWriter([.init(0x4000_0000, text(700)), .init(0x8000_0000, text(300))]).bytes() },
    "lime/overlap": {
      LiMEWriter([.init(0x4000_0000, text(700)), .init(0x4000_0100, text(300))]).bytes() + .zeros(64)
    },
    "lime/compressed": {
      ZlibStream.packed(LiMEWriter([.init(0x4000_0000, text(3000)), .init(0x8000_0000, text(300))]).bytes())
    },
    "lime/avml": {
      AVMLWriter.bytes([(0x4000_0000, text(3000)), (0x8000_0000, text(300))], stored: [1])
    },
    "codec/zlib": { [0] + KdumpCodec.zlib.pack(text(4096)) },
    "codec/lzo": { [1] + KdumpCodec.lzo.pack(text(4096)) },
    "codec/snappy": { [2] + KdumpCodec.snappy.pack(text(4096)) },
    "codec/zstd": { [3] + KdumpCodec.zstd.pack(text(4096)) },
    "vmcoreinfo/handmade": { Array(HandmadeKernel().vmcoreinfo.joined(separator: "\n").utf8) },
    "vmcoreinfo/c61-4k48": { Array(try DumpEntry.named("c61-4k48-nokaslr").data("oracle/vmcoreinfo.txt")) },
    "vmcoreinfo/c612-64k52": { Array(try DumpEntry.named("c612-64k52").data("oracle/vmcoreinfo.txt")) },
    "tables/4k48": { tables(.k4, .bits48, 48, [0, 1]) },
    "tables/4k52": { tables(.k4, .lpa2, 52, [0, 2 | 2 << 5]) },
    "tables/16k47": { tables(.k16, .bits48, 47, [1, 4]) },
    "tables/64k52": { tables(.k64, .lpa, 52, [2, 2 | 1 << 5]) },
    "audit/sound": { records(soundTables.words) },
    "audit/odd": {
      var writer = soundTables
      writer.map(0xffff_8000_1000_0000, to: 0x9000_0000, attributes: 0x711)
      writer.map(0xffff_8000_1000_1000, to: 0x4000_0000, attributes: 0x703)
      writer.words[0x4000_1ff8] = 0x4000_1003
      return records(writer.words)
    },
    "kallsyms/v419": { kallsyms(.v419) },
    "kallsyms/v5": { kallsyms(.v5) },
    "kallsyms/v61": { kallsyms(.v61) },
    "kallsyms/v64": { kallsyms(.v64) },
    "kallsyms/v7": { kallsyms(.v7) },
    "btf/lists": { FuzzedLists.btf },
    "lists/sound": { FuzzedLists.memory },
    "stacks/marked": { FuzzedStacks.memory(isMarked: true) },
    "stacks/old": { FuzzedStacks.memory(isMarked: false) },
    "slabs/sound": { SlabMemory.memory() },
    "log/ring": { [0] + FuzzedLog.ring },
    "log/buffer": { [1] + FuzzedLog.buffer },
    "splitbtf/two": {
      var base = BTFWriter()
      let int = base.integer("int", size: 4)
      _ = base.structure("pair", size: 8, [.init("a", int, bit: 0), .init("b", int, bit: 32)])
      var module = BTFWriter(continuing: base)
      _ = module.structure("task_struct", size: 8, [.init("pid", int, bit: 0), .init("b", int, bit: 32)])
      return [UInt8](little: UInt16(base.bytes.count)) + base.bytes + module.bytes
    },
    "bare/kernel": { records(bareWords) },
    "searches/lists": { FuzzedLists.image },
    "parts/two": { parts },
    // The first half is 1 MiB too high, the second where it belongs.
    "placed/high": { [1, 1] + records(soundTables.words) },
    "placed/right": { [0, 1] + records(soundTables.words) },
    "query/symbol": { Array("init_task+0x10".utf8) },
    "query/module": { Array("ext4:ext4_iget@cpu3+8".utf8) },
    "query/address": { Array("0xffff800008005010".utf8) },
    "query/bare": { Array("ffff800008010008".utf8) },
    "query/tables": { Array("cpu0".utf8) },
    "expression/members": { Array("container_of(init_task.tasks.next, struct task_struct, tasks)->comm[0:4]".utf8) },
    "expression/operators": { Array("(unsigned long)&_stext + sizeof(int *) * 0x10u >> 3 == 'a' ? -1 : ~7ul".utf8) },
    "expression/percpu": { Array("per_cpu(runqueues, 1).nr_running + m:sym@cpu0 - *(int *)0".utf8) },
    "remote/gdb": {
      [
        "qSupported:multiprocess+;xmlRegisters=i386", "vMustReplyEmpty", "Hg0", "qXfer:features:read:target.xml:0,4000",
        "qXfer:threads:read::0,4000", "qXfer:memory-map:read::0,4000", "?", "qC", "qAttached", "qOffsets", "g",
        "mffff800008000000,40", "xffff800008010ffc,8", "qRcmd,746173", "M0,1:00", "vCont;c", "T1", "D",
      ].flatMap(RemoteProtocol.packet)
    },
    "remote/lldb": {
      [
        "QThreadSuffixSupported", "QEnableErrorStrings", "qHostInfo", "qProcessInfo", "p20;thread:0001;",
        "g;thread:1;", "qMemoryRegionInfo:ffff800008000000", "qThreadStopInfo1", "jThreadsInfo", "qfThreadInfo",
        "qsThreadInfo", "x0,0", "m0,10", "c", "k",
      ].flatMap(RemoteProtocol.packet)
    },
    "batch/resolve": {
      Array(#"{"id": 7, "command": "resolve", "arguments": ["init_task+8", 4096], "options": {"walk": true}}"#.utf8)
    },
    "batch/escapes": { Array(#"{"id":"\u00e9\ud83d\ude00\n","command":"read","arguments":[-1.5e+3,null,[[]]]}"#.utf8) },
    "map/plain": { Array("ffff800008000000 T _text\nffff800008010000 T _stext\nffff800008020000 b data\n".utf8) },
  ]

  // MARK: - What they are made of

  /// Memory of a kernel of two MiB and more in its linear map, with its banner.
  private static var bareWords: [UInt64: UInt64] {
    var words = soundTables.words
    let banner = Array("Linux version 6.1.0 (a@b) #1 SMP".utf8) + .zeros(8)
    for start in stride(from: 0, to: banner.count / 8 * 8, by: 8) {
      words[0x4001_f000 + UInt64(start)] = banner[start..<(start + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    return words
  }

  /// Two parts of one dump, behind how the target finds them.
  private static var parts: [UInt8] {
    var files = [kdump(6), kdump(6)]
    files[0].part = 0..<6
    files[1].part = 6..<20
    let bytes = files.map { $0.bytes() }
    // Of 255 parts of the whole the first file has so many; what it lacks of its last bytes is zero.
    let share = (bytes[0].count * 255 + bytes[0].count + bytes[1].count - 1) / (bytes[0].count + bytes[1].count)
    let end = (bytes[0].count + bytes[1].count + 16) * (share + 1) / 255
    return [1, UInt8(share + 1), 0, 0, 0] + bytes[0] + .zeros(max(0, end - bytes[0].count)) + bytes[1]
  }

  /// Text that any codec makes smaller.
  private static func text(_ count: Int) -> [UInt8] {
    Array(Array("the quick brown fox jumps over the lazy dog 0123456789 ".utf8).cycled(count))
  }

  private static var core: CoreWriter {
    let kernel = HandmadeKernel()
    let notes = CoreWriter.prstatus(pid: 1, registers: [1, 2, 3])
    return CoreWriter(
      notes: notes + CoreWriter.vmcoreinfo(kernel.vmcoreinfo.joined(separator: "\n")),
      [.init(0x4000_1000, Array(kernel.memory[0x1000..<0x2000])), .init(0x4000_4000, text(1000), memorySize: 4096)])
  }

  /// Blocks of 1 KiB, so that the file is small.
  private static func kdump(_ version: UInt32) -> KdumpWriter {
    var writer = KdumpWriter(
      frameCount: 20,
      [
        0: .zero, 1: .filtered, 2: .lost, 3: .kept(text(1024), .raw), 5: .kept(text(1024), .zlib),
        6: .kept(text(1024), .lzo), 7: .kept(text(1024), .snappy), 8: .kept(text(1024), .zstd), 19: .zero,
      ])
    writer.version = version
    writer.blockSize = 1024
    writer.notes = CoreWriter.prstatus(pid: 1, registers: [4, 5, 6])
    writer.vmcoreinfo = HandmadeKernel().vmcoreinfo.joined(separator: "\n")
    return writer
  }

  /// Words as records of ten bytes: the number of the word in 512 KiB, and its value.
  private static func records(_ words: [UInt64: UInt64]) -> [UInt8] {
    words.sorted { $0.key < $1.key }.flatMap {
      [UInt8](little: UInt16(truncatingIfNeeded: $0.key / 8)) + [UInt8](little: $0.value)
    }
  }

  /// A few mappings of each kind in tables below 512 KiB, behind the shape as the target reads it.
  private static func tables(
    _ granule: TableWriter.Granule, _ encoding: TableWriter.Encoding, _ bits: Int, _ shape: [UInt8]
  ) -> [UInt8] {
    let size = granule.bytes
    var writer = TableWriter(granule, encoding, vaBits: bits, root: size, firstTable: 2 * size)
    let half: UInt64 = 0 &- (1 << UInt64(bits))
    let start = half + 0x8000_0000
    // UXNTable, PXNTable and APTable, so that what a table takes from those below it is looked at, too.
    let attributes: [Int: UInt64] = [-1: 1 << 60, 0: 1 << 60, 1: 1 << 59, 2: 1 << 62]
    for page in 0..<UInt64(8) {
      writer.map(
        start + page * size, to: 0x4000_0000 + page * size, attributes: 0x703, tableAttributes: attributes)
    }
    writer.map(half + 0x4000_0000, to: 0x4000_0000, level: 2, attributes: 0x701)
    return shape + [0, UInt8(size >> 12)] + [UInt8](little: start) + records(writer.words)
  }

  /// Tables of the kernel that the target makes: its image and a part of its linear map.
  private static var soundTables: TableWriter {
    var writer = TableWriter(.k4, .bits48, vaBits: 48, root: 0x4000_1000, firstTable: 0x4000_2000)
    for page in 0..<UInt64(64) {
      let physical = 0x4000_0000 + page << 12
      if page < 32 { writer.map(0xffff_8000_0800_0000 + page << 12, to: physical, attributes: 0x60_0000_0000_0700) }
      writer.map(0xffff_0000_0000_0000 + page << 12, to: physical, attributes: 0x60_0000_0000_0700)
    }
    writer.map(0xffff_fc00_0000_0000, to: 0x4003_0000, attributes: 0x60_0000_0000_0700)
    return writer
  }

  private static func kallsyms(_ shape: KallsymsWriter.Shape) -> [UInt8] {
    let start: UInt64 = 0xffff_8000_0900_0000
    var symbols: [(type: Character, name: String, address: UInt64)] = [("T", "_stext", 0xffff_8000_0801_0000)]
    for number in 1..<300 {
      symbols.append(("t", "restore_\(number)", 0xffff_8000_0801_0000 + UInt64(number / 2 * 2) * 32))
    }
    let writer = KallsymsWriter(symbols, shape, at: start)
    var bytes = writer.bytes
    while bytes.last == 0 { bytes.removeLast() }
    let labels = ["names", "num_syms", "token_table", "token_index", "offsets", "relative_base"]
    let places = labels.map { UInt32((writer.labels["kallsyms_\($0)"] ?? start) - start) }
    return places.flatMap { [UInt8](little: $0) } + bytes + .zeros(8)
  }
}

extension [UInt8] {
  /// `count` bytes of this, again and again.
  fileprivate func cycled(_ count: Int) -> [UInt8] { (0..<count).map { self[$0 % self.count] } }
}
