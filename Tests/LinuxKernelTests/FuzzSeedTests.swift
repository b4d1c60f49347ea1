import Foundation
import TestSupport
import Testing

/// The seeds of the fuzz targets (TestData/fuzz): each is what a writer makes today, so that they do not fall behind
/// what kva reads. With KVA_WRITE_SEEDS set, they are written instead.
///
/// Other files there are inputs that once broke something; Fuzz/run begins with all of them.
@Suite struct FuzzSeedTests {
  static let folder = Checkout.testData.appendingPathComponent("fuzz")

  @Test("The seeds are what their writers write", arguments: seeds.keys.sorted())
  func seed(_ name: String) throws {
    let make = try #require(Self.seeds[name])
    let bytes = try make()
    #expect(bytes.count < 24 << 10)
    let file = Self.folder.appendingPathComponent(name)
    if ProcessInfo.processInfo.environment["KVA_WRITE_SEEDS"] != nil {
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(bytes).write(to: file)
    }
    #expect(
      try Data(contentsOf: file) == Data(bytes), "write them anew: KVA_WRITE_SEEDS=1 swift test --filter FuzzSeed")
  }

  static let seeds: [String: @Sendable () throws -> [UInt8]] = [
    "elf/core": { core.bytes() },
    "elf/many-headers": {
      var file = core
      file.usesExtendedCount = true
      file.segments += [.init(0x8000_0000, memorySize: 0x10000), .init(0x9000_0000, offset: 1 << 40, fileSize: 4096)]
      return file.bytes()
    },
    "kdump/version6": { kdump(6).bytes() },
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
    "query/symbol": { Array("init_task+0x10".utf8) },
    "query/module": { Array("ext4:ext4_iget@cpu3+8".utf8) },
    "query/address": { Array("0xffff800008005010".utf8) },
    "query/bare": { Array("ffff800008010008".utf8) },
    "query/tables": { Array("cpu0".utf8) },
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
    for page in 0..<UInt64(8) { writer.map(start + page * size, to: 0x4000_0000 + page * size, attributes: 0x703) }
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

/// Memory at a virtual address that is written word by word.
private struct WrittenMemory {
  let start: UInt64
  var bytes: [UInt8]

  mutating func put<T: FixedWidthInteger>(_ value: T, _ address: UInt64) {
    let at = Int(address - start)
    bytes.replaceSubrange(at..<(at + T.bitWidth / 8), with: [UInt8](little: value))
  }

  mutating func put(_ text: String, _ address: UInt64) {
    let at = Int(address - start)
    bytes.replaceSubrange(at..<(at + text.utf8.count), with: Array(text.utf8))
  }

  /// Makes the circular list of these links, the first the head.
  mutating func link(_ links: [UInt64]) {
    for (number, link) in links.enumerated() {
      let next = links[(number + 1) % links.count]
      put(next, link)
      put(link, next + 8)
    }
  }
}

/// The memory that the target `lists` reads: see Fuzz/Sources/kva-fuzz/Kernels.swift.
private enum FuzzedLists {
  static let start: UInt64 = 0xffff_8000_0801_0000

  /// The kernel's types as far as the lists need them, laid out as this file writes them.
  static var btf: [UInt8] {
    var writer = BTFWriter()
    let int = writer.integer("int", size: 4)
    let long = writer.integer("long unsigned int", size: 8)
    let letter = writer.integer("char", size: 1)
    let pointer = writer.reference(kind: 2, to: 0)
    let list = writer.structure(
      "list_head", size: 16, [.init("next", pointer, bit: 0), .init("prev", pointer, bit: 64)])
    let counter = writer.structure("", size: 8, [.init("counter", long, bit: 0)])
    let context = writer.structure("", size: 8, [.init("id", counter, bit: 0)])
    let info = writer.structure("thread_info", size: 4, [.init("cpu", int, bit: 0)])
    _ = writer.structure("mm_struct", size: 16, [.init("pgd", pointer, bit: 0), .init("context", context, bit: 64)])
    _ = writer.structure("signal_struct", size: 16, [.init("thread_head", list, bit: 0)])
    let comm = writer.array(of: letter, index: long, count: 16)
    let ids = writer.structure("", size: 8, [.init("pid", int, bit: 0), .init("tgid", int, bit: 32)])
    _ = writer.structure(
      "task_struct", size: 104,
      [
        .init("__state", int, bit: 0), .init("stack", pointer, bit: 64), .init("", ids, bit: 128),
        .init("tasks", list, bit: 192),
        .init("comm", comm, bit: 320), .init("mm", pointer, bit: 448), .init("active_mm", pointer, bit: 512),
        .init("signal", pointer, bit: 576),
        .init("thread_node", list, bit: 640), .init("thread_info", info, bit: 768), .init("exit_state", int, bit: 800),
      ])
    let name = writer.array(of: letter, index: long, count: 56)
    let piece = writer.structure(
      "module_memory", size: 16, [.init("base", pointer, bit: 0), .init("size", int, bit: 64)])
    let pieces = writer.array(of: piece, index: long, count: 7)
    let references = writer.structure("", size: 4, [.init("counter", int, bit: 0)])
    _ = writer.structure(
      "module", size: 208,
      [
        .init("state", int, bit: 0), .init("list", list, bit: 64), .init("name", name, bit: 192),
        .init("kallsyms", pointer, bit: 640),
        .init("mem", pieces, bit: 704), .init("refcnt", references, bit: 1600),
      ])
    _ = writer.structure(
      "mod_kallsyms", size: 32,
      [
        .init("symtab", pointer, bit: 0), .init("num_symtab", int, bit: 64), .init("strtab", pointer, bit: 128),
        .init("typetab", pointer, bit: 192),
      ])
    _ = writer.structure(
      "vmap_area", size: 40,
      [
        .init("va_start", long, bit: 0), .init("va_end", long, bit: 64), .init("list", list, bit: 128),
        .init("vm", pointer, bit: 256),
      ])
    _ = writer.structure(
      "vm_struct", size: 64,
      [
        .init("addr", pointer, bit: 64), .init("size", long, bit: 128), .init("flags", long, bit: 192),
        .init("nr_pages", int, bit: 320),
        .init("phys_addr", long, bit: 384), .init("caller", pointer, bit: 448),
      ])
    let flag = writer.reference(kind: 8, "flag", to: int)
    _ = writer.structure("bits", size: 4, [.init("a", flag, bit: 0, bits: 3), .init("b", flag, bit: 3, bits: 7)])
    return writer.bytes
  }

  /// The types among the read-only data, the rest among the data, as the target `searches` places them: what the
  /// lists lead to is moved with them.
  static var image: [UInt8] {
    let readOnly = btf + .zeros(0x1800 - btf.count)
    // Behind _stext, the read-only data and four tables.
    let data = 0xffff_8000_0800_0000 + 0x1000 + 0x2000 + 0x4000 as UInt64
    let from = start + 0x1000
    var bytes = Array(memory[0x1000...])
    for at in stride(from: 0, to: bytes.count - 7, by: 8) {
      let word = bytes[at..<(at + 8)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      guard word >= from, word - from < UInt64(bytes.count) else { continue }
      bytes.replaceSubrange(at..<(at + 8), with: [UInt8](little: word - from + data))
    }
    return readOnly + bytes.prefix(readOnly.count)
  }

  /// Two processes, one of two threads; a module with two symbols; two areas.
  static var memory: [UInt8] {
    var memory = WrittenMemory(start: start, bytes: btf + .zeros(0x2800 - btf.count))
    let tasks = [start + 0x1000, start + 0x1080, start + 0x1100]
    let signals = [start + 0x1200, start + 0x1210]
    let mm = start + 0x1220
    memory.put(0xffff_8000_0800_1000 as UInt64, mm)
    memory.put(42 as UInt64, mm + 8)
    for (number, task) in tasks.enumerated() {
      memory.put(UInt32(number), task)
      memory.put(start + 0x1400 + UInt64(number) << 12, task + 8)
      memory.put(UInt32(number), task + 16)
      memory.put(UInt32(number > 1 ? 1 : number), task + 20)
      memory.put("task\(number)", task + 40)
      if number > 0 { memory.put(mm, task + 56) }
      memory.put(mm, task + 64)
      memory.put(signals[number > 0 ? 1 : 0], task + 72)
      memory.put(UInt32(number % 2), task + 96)
    }
    memory.link([tasks[0] + 24, tasks[1] + 24])
    memory.link([signals[0], tasks[0] + 80])
    memory.link([signals[1], tasks[1] + 80, tasks[2] + 80])

    let module = start + 0x2100
    memory.link([start + 0x2000, module + 8])
    memory.put("fuzz", module + 24)
    memory.put(start + 0x2200, module + 80)
    memory.put(start + 0x2000, module + 88)
    memory.put(0x800 as UInt32, module + 96)
    memory.put(2 as UInt32, module + 200)
    for (offset, value) in [(0, start + 0x2240), (8, 3), (16, start + 0x22a0), (24, start + 0x22c0)]
      as [(UInt64, UInt64)]
    {
      memory.put(value, start + 0x2200 + offset)
    }
    for number in 1..<UInt64(3) {
      let entry = start + 0x2240 + number * 24
      memory.put(UInt32(number * 8 - 7), entry)
      memory.put(1 as UInt16, entry + 6)
      memory.put(start + 0x2300 + number * 16, entry + 8)
      memory.put(16 as UInt64, entry + 16)
    }
    memory.put("\0fuzz_a\0\0fuzz_b\0", start + 0x22a0)
    memory.put("?tT", start + 0x22c0)

    let areas = [start + 0x2400, start + 0x2440]
    memory.link([start + 0x2010] + areas.map { $0 + 16 })
    for (number, area) in areas.enumerated() {
      let place = 0xffff_8000_1000_0000 + UInt64(number) << 16
      let vm = start + 0x2480 + UInt64(number) * 64
      memory.put(place, area)
      memory.put(place + 0x3000, area + 8)
      memory.put(vm, area + 32)
      for (offset, value) in [(8, place), (16, 0x3000), (24, 2), (40, 2), (56, start + 0x2310)] as [(UInt64, UInt64)] {
        memory.put(value, vm + offset)
      }
    }
    // __per_cpu_offset of two CPUs, and where each has its __entry_task.
    memory.put(0x500 as UInt64, start + 0x2020)
    memory.put(0x540 as UInt64, start + 0x2028)
    memory.put(tasks[0], start + 0x2540)
    memory.put(tasks[1], start + 0x2580)
    return memory.bytes
  }
}

/// The memory that the target `log` reads: see Fuzz/Sources/kva-fuzz/Kernels.swift.
private enum FuzzedLog {
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
