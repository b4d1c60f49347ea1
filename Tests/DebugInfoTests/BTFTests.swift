import DebugInfo
import Foundation
import TestSupport
import Testing

/// Types from BTF: as clang writes it, against the compiler's own assertions and against DWARF, and as a writer of
/// the tests' own makes it, kind by kind.
struct BTFTests {
  /// The sample as BTF; its structures lie as on arm64, which has the same sizes and alignments.
  private func compiled() throws -> BTFTypes {
    let object = try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("sample.o").path
      try CrossCompiler.compile(
        Sample.source + "\n" + Sample.plainUses + Sample.assertions, ["-g", "--target=bpfel"], to: path)
      return try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    }
    return try #require(BTFTypes(ELFSections(object).contents(".BTF"), origin: "clang"))
  }

  @Test(
    "What clang writes is where the compiler puts it",
    .enabled(if: CrossCompiler.isAvailable, "clang and its linker are not there"))
  func members() throws {
    let types = try compiled()
    #expect(types.isComplete)
    for expected in Sample.members {
      let member = types.member(expected.path, of: expected.type)
      #expect(member?.offset == expected.offset, "\(expected)")
      if expected.size > 0 { #expect(member?.size == expected.size, "\(expected)") }
    }
    for (type, _, size) in Sample.sizes { #expect(types.size(of: type) == size, "\(type)") }
    for field in Sample.bitFields {
      let member = types.member(field.path, of: "bits")
      let first = member.flatMap { member in member.bits.map { member.offset * 8 + $0.lowerBound } }
      #expect(first == field.offset * 8 + field.bits.lowerBound, "\(field.path)")
      #expect(member?.bits?.count == field.bits.count, "\(field.path)")
    }
  }

  @Test(
    "BTF and DWARF of one source tell the same",
    .enabled(if: CrossCompiler.isAvailable, "clang and its linker are not there"))
  func agreesWithDWARF() throws {
    let btf = try compiled()
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("sample.o").path
      try CrossCompiler.compile(Sample.source + "\n" + Sample.plainUses, ["-g"], to: path)
      let dwarf = DWARFTypes(try ELFImage(path: path))
      let fields = Sample.bitFields.map { ("bits", $0.path) }
      for (type, path) in Sample.members.map({ ($0.type, $0.path) }) + fields {
        let member = btf.member(path, of: type)
        #expect(member != nil && member == dwarf.member(path, of: type), "\(type).\(path)")
      }
      for (type, _, _) in Sample.sizes { #expect(btf.size(of: type) == dwarf.size(of: type), "\(type)") }
    }
  }

  @Test(
    "Whole types by BTF and by DWARF are the same, written as C too",
    .enabled(if: CrossCompiler.isAvailable, "clang and its linker are not there"))
  func graphs() throws {
    let btf = try compiled()
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("sample.o").path
      try CrossCompiler.compile(Sample.source + "\n" + Sample.plainUses, ["-g"], to: path)
      let dwarf = DWARFTypes(try ELFImage(path: path))
      for (_, name, size) in Sample.sizes {
        let a = try #require(btf.types(named: TypeName(name)).first, "\(name)")
        let b = try #require(dwarf.types(named: TypeName(name)).first, "\(name)")
        #expect(a.size == size && b.size == size, "\(name)")
        let same = CLayoutPrinter.lines(of: a) == CLayoutPrinter.lines(of: b)
        #expect(same, "\(CLayoutPrinter.lines(of: a)) \(CLayoutPrinter.lines(of: b))")
      }
      let item = try #require(dwarf.types(named: TypeName(.structure, "item")).first)
      #expect(item.record?.member(named: "handler")?.type.text == "void (*)(struct item *)")
      #expect(item.record?.member(named: "grid")?.type.text == "int [2][3]")
      #expect(item.record?.member(named: "mode")?.firstBit == 72 * 8)
      #expect(dwarf.types(named: TypeName(.union, "item")).isEmpty)
      guard case .enumeration(let mode) = try #require(dwarf.types(named: TypeName("enum mode")).first).shape else {
        Issue.record("enum mode is none")
        return
      }
      #expect(mode.enumerators.map(\.name) == ["quiet", "loud"] && mode.enumerators.map(\.value) == [0, 0x10000])
    }
  }

  /// A kernel's BTF with every kind there is.
  private func kernel() -> BTFWriter {
    var writer = BTFWriter()
    let int = writer.integer("int", size: 4)
    let long = writer.integer("long unsigned int", size: 8)
    let char = writer.integer("char", size: 1)
    _ = writer.add(kind: 7, "later", sizeOrType: 0)
    let pointer = writer.reference(kind: 2, to: 4)
    let name = writer.array(of: char, index: int, count: 56)
    let tagged = writer.reference(kind: 18, "rcu", to: long)
    let const = writer.reference(kind: 10, to: writer.reference(kind: 9, to: tagged))
    let restrict = writer.reference(kind: 11, to: pointer)
    let mode = writer.enumeration("mode", size: 4, ["quiet", "loud"])
    let wide = writer.enumeration("wide", size: 8, ["one"])
    let real = writer.add(kind: 16, "double", sizeOrType: 8)
    let prototype = writer.add(kind: 13, count: 2, sizeOrType: int, tail: [0, int, 0, 0])
    _ = writer.add(kind: 12, "function", sizeOrType: prototype)
    _ = writer.add(kind: 17, "tag", sizeOrType: 1, tail: [0xffff_ffff])
    let flags = writer.structure(
      size: 4,
      [.init("low", int, bit: 0, bits: 5), .init("", int, bit: 5, bits: 3), .init("high", int, bit: 8, bits: 9)])
    let either = writer.structure(size: 8, isUnion: true, [.init("first", long, bit: 0), .init("", flags, bit: 0)])
    let old = writer.integer("unsigned char", size: 1, offset: 2, bits: 3)
    let holder = writer.structure(
      "holder", size: 160,
      [
        .init("state", mode, bit: 0), .init("", either, bit: 64), .init("name", name, bit: 128),
        .init("next", restrict, bit: 576), .init("count", const, bit: 640), .init("kind", wide, bit: 704),
        .init("ratio", real, bit: 768), .init("piece", old, bit: 832),
      ])
    _ = writer.reference(kind: 8, "holder_t", to: holder)
    _ = writer.section(".data..percpu", [("runqueues", holder, 0x40, 160), ("counter", long, 0x200, 8)])
    return writer
  }

  @Test("Every kind has its length, and members are found through all of them")
  func kinds() throws {
    let types = try #require(BTFTypes(kernel().bytes, origin: "test"))
    #expect(types.isComplete)
    #expect(types.member("state", of: "holder") == TypeMember(offset: 0, size: 4))
    #expect(types.member("first", of: "holder") == TypeMember(offset: 8, size: 8))
    #expect(types.member("low", of: "holder") == TypeMember(offset: 8, size: 4, bits: 0..<5))
    #expect(types.member("high", of: "holder") == TypeMember(offset: 8, size: 4, bits: 8..<17))
    #expect(types.member("name", of: "holder_t") == TypeMember(offset: 16, size: 56))
    #expect(types.member("next", of: "holder") == TypeMember(offset: 72, size: 8))
    #expect(types.member("count", of: "holder") == TypeMember(offset: 80, size: 8))
    #expect(types.member("kind", of: "holder") == TypeMember(offset: 88, size: 8))
    #expect(types.member("ratio", of: "holder") == TypeMember(offset: 96, size: 8))
    #expect(types.member("piece", of: "holder") == TypeMember(offset: 104, size: 1, bits: 2..<5))
    #expect(types.size(of: "wide") == 8 && types.size(of: "mode") == 4 && types.size(of: "holder_t") == 160)
    #expect(types.perCPUVariables.map(\.name) == ["runqueues", "counter"])
    #expect(types.perCPUVariables.map(\.offset) == [0x40, 0x200])
    for (path, type) in [("state", "later"), ("", "holder"), ("state.low", "holder"), ("stat", "holder"), ("a", "")] {
      #expect(types.member(path, of: type) == nil, "\(type).\(path)")
    }
    #expect(types.size(of: "later") == nil && types.size(of: "function") == nil)
  }

  @Test("A module's types continue the kernel's in numbers and names")
  func split() throws {
    let base = kernel()
    var writer = BTFWriter(continuing: base)
    // The kernel's holder is number 20, its char 3: the 20th and third that were added.
    let own = writer.structure("disk", size: 192, [.init("name", 3, bit: 0), .init("held", 20, bit: 64)])
    _ = writer.reference(kind: 8, "disk_t", to: own)
    _ = writer.structure("holder", size: 8, [.init("own", 1, bit: 32)])
    let types = try #require(BTFTypes(base.bytes, origin: "kernel"))
    #expect(types.typeCount == own)
    let module = try #require(BTFTypes(writer.bytes, base: types, origin: "module"))
    #expect(module.isComplete)
    #expect(module.member("name", of: "disk") == TypeMember(offset: 0, size: 1))
    #expect(module.member("held.count", of: "disk_t") == TypeMember(offset: 88, size: 8))
    #expect(module.member("held.high", of: "disk") == TypeMember(offset: 16, size: 4, bits: 8..<17))
    // What both have is the module's; the kernel's own stays as it is.
    #expect(module.member("own", of: "holder") == TypeMember(offset: 4, size: 4))
    #expect(module.member("count", of: "holder_t") == TypeMember(offset: 80, size: 8))
    #expect(types.member("own", of: "holder") == nil && types.size(of: "disk") == nil)
    // Without what it continues it says nothing of the kernel's types.
    #expect(BTFTypes(writer.bytes, origin: "alone")?.member("held.count", of: "disk_t") == nil)
  }

  @Test("A kind of a later kernel ends the list, and nothing can continue it")
  func laterKinds() throws {
    var writer = kernel()
    _ = writer.add(kind: 25, "novelty", sizeOrType: 0)
    _ = writer.structure("behind", size: 4, [.init("a", 1, bit: 0)])
    let types = try #require(BTFTypes(writer.bytes, origin: "test"))
    #expect(!types.isComplete)
    #expect(types.size(of: "holder") == 160 && types.size(of: "behind") == nil)
    #expect(BTFTypes(BTFWriter(continuing: writer).bytes, base: types, origin: "module") == nil)
  }

  @Test("Types that lead to themselves, or claim what cannot be, end")
  func circles() throws {
    var writer = BTFWriter()
    // A typedef of itself; a structure that is its own nameless member, a thousand times; arrays of arrays.
    _ = writer.reference(kind: 8, "circle", to: 1)
    _ = writer.structure("tree", size: 8, (0..<1000).map { _ in .init("", 2, bit: 0) } + [.init("leaf", 3, bit: 0)])
    _ = writer.integer("int", size: 4)
    for number in 4..<20 { _ = writer.array(of: number == 4 ? 3 : number - 1, index: 3, count: 0xffff_ffff) }
    _ = writer.reference(kind: 8, "huge", to: 19)
    _ = writer.structure("far", size: 4, [.init("a", 3, bit: 0xffff_ffff), .init("b", 0x7fff_ffff, bit: 0)])
    let types = try #require(BTFTypes(writer.bytes, origin: "test"))
    #expect(types.size(of: "circle") == nil && types.member("a", of: "circle") == nil)
    #expect(types.member("none", of: "tree") == nil)
    #expect(types.size(of: "huge") == nil)
    #expect(types.member("b", of: "far") == nil)
  }

  @Test("Damaged BTF ends, whatever it says")
  func damaged() {
    let good = kernel().bytes
    var generator = SeededGenerator(seed: 5)
    var whole = 0
    var part = 0
    for _ in 0..<3000 {
      var bad = good
      for _ in 0..<(1 + Int(generator.next() % 6)) {
        bad[8 + Int(generator.next() % UInt64(bad.count - 8))] = UInt8(truncatingIfNeeded: generator.next())
      }
      if generator.next() % 4 == 0 { bad.removeLast(Int(generator.next() % UInt64(bad.count))) }
      guard let types = BTFTypes(bad, origin: "test") else { continue }
      if types.isComplete { whole += 1 } else { part += 1 }
      for path in ["high", "name", "count.x", "piece"] { _ = types.member(path, of: "holder") }
      _ = types.size(of: "holder_t")
      _ = types.perCPUVariables
      _ = BTFTypes(bad, base: types, origin: "module")?.member("high", of: "holder")
    }
    // Most of the damage is to a name or a number, which leaves the list whole; some ends it; some is refused.
    #expect(whole > 1000 && part > 100 && whole + part < 2700, "\(whole) whole, \(part) in part")
    #expect(BTFTypes([], origin: "") == nil && BTFTypes(Array(good.prefix(30)), origin: "") == nil)
  }
}

/// The sections of an ELF64 object, read the plain way.
struct ELFSections {
  private let file: [UInt8]
  init(_ file: [UInt8]) { self.file = file }

  private func integer(_ offset: Int, _ size: Int) -> Int {
    file[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  func contents(_ name: String) throws -> [UInt8] {
    let table = integer(40, 8)
    func header(_ number: Int) -> Int { table + number * 64 }
    let names = integer(header(integer(62, 2)) + 24, 8)
    for number in 0..<integer(60, 2) {
      let start = names + integer(header(number), 4)
      guard file[start...].starts(with: Array(name.utf8) + [0]) else { continue }
      let offset = integer(header(number) + 24, 8)
      return Array(file[offset..<(offset + integer(header(number) + 32, 8))])
    }
    throw TestSupportError("the object has no section \(name)")
  }
}
