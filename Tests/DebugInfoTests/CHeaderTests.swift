import DebugInfo
import Foundation
import TestSupport
import Testing

/// Headers of types: the compiler has each size, offset and bit field where the types had it.
@Suite(.enabled(if: CrossCompiler.isAvailable, "clang and its linker are not there"))
struct CHeaderTests {
  private func header(_ groups: [CType]...) -> CHeader {
    let header = CHeader("test")
    for group in groups { header.add(group) }
    header.end()
    return header
  }

  @Test(
    "What clang described compiles again, with the same sizes, offsets and bit fields", arguments: ["gnu11", "gnu2x"])
  func sample(_ standard: String) throws {
    try Scratch.withFolder { folder in
      func compile(_ source: String, _ flags: [String]) throws -> String {
        let path = folder.appendingPathComponent("\(UUID().uuidString).o").path
        try CrossCompiler.compile(source, flags, to: path)
        return path
      }
      let object = try compile(Sample.source + "\n" + Sample.plainUses, ["-g", "--target=bpfel"])
      let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: object)))
      let types = try #require(BTFTypes(ELFSections(bytes).contents(".BTF"), origin: "clang"))
      let header = header(types.ownTypes)
      #expect(header.opaque == 0 && !header.isCutShort)
      let flags = ["-std=\(standard)", "-Wall", "-Wextra", "-Werror"]
      _ = try compile(header.text + Sample.assertions, flags)
      // DWARF of the header says where its bit fields are.
      let again = DWARFTypes(try ELFImage(path: compile(header.text + "struct bits v;\n", ["-g"])))
      for field in Sample.bitFields {
        let member = again.member(field.path, of: "bits")
        #expect(
          member.flatMap { member in member.bits.map { member.offset * 8 + $0.lowerBound } }
            == field.offset * 8 + field.bits.lowerBound, "\(field.path)")
        #expect(member?.bits?.count == field.bits.count, "\(field.path)")
      }
    }
  }

  /// A kernel's types of the awkward kinds.
  private func awkward() -> BTFWriter {
    var writer = BTFWriter()
    let int = writer.integer("int", size: 4)
    let long = writer.integer("long unsigned int", size: 8)
    let char = writer.integer("char", size: 1)
    let poly = writer.integer("__Poly64_t", size: 8)
    let half = writer.add(kind: 16, "_Float16", sizeOrType: 2)
    // Declared only: of a name of its own, and of one that a union has.
    let later = writer.add(kind: 7, "later", sizeOrType: 0)
    let unlike = writer.add(kind: 7, "shared", sizeOrType: 0)
    _ = writer.structure("shared", size: 4, isUnion: true, [.init("whole", int, bit: 0)])
    // Two of one name, of which the second is used, and an enumeration of the same.
    _ = writer.structure("twin", size: 4, [.init("first", int, bit: 0)])
    let twin = writer.structure("twin", size: 8, [.init("second", long, bit: 0)])
    _ = writer.enumeration("twin", size: 4, ["taken"])
    let named = writer.reference(kind: 8, "taken", to: twin)
    // Constants that two have, one of them without a name, used twice.
    let one = writer.enumeration("", size: 4, ["again", "once"])
    _ = writer.enumeration("other", size: 1, ["again", "more"])
    let noreturn = writer.reference(
      kind: 2, to: writer.reference(kind: 9, to: writer.add(kind: 13, count: 1, sizeOrType: int, tail: [0, named])))
    let list = writer.array(of: twin, index: int, count: 3)
    let pointers = writer.array(of: writer.reference(kind: 2, to: list), index: int, count: 2)
    let flexible = writer.array(of: char, index: int, count: 0)
    let tagged = writer.reference(kind: 18, "rcu", to: named)
    let inner = writer.structure(size: 9, [.init("c", char, bit: 0), .init("l", long, bit: 8)])
    _ = writer.structure(
      "mixed", size: 384,
      [
        .init("typeof", int, bit: 0), .init("a b", char, bit: 32), .init("kind", one, bit: 64),
        .init("same", one, bit: 96), .init("exit", noreturn, bit: 128), .init("rows", pointers, bit: 192),
        .init("poly", poly, bit: 320), .init("half", half, bit: 384), .init("", inner, bit: 408),
        .init("tagged", tagged, bit: 512), .init("next", writer.reference(kind: 2, to: later), bit: 576),
        .init("odd", writer.reference(kind: 2, to: unlike), bit: 640), .init("far", char, bit: 2048),
        .init("tail", flexible, bit: 2560),
      ])
    _ = writer.structure("wide", size: 64, isUnion: true, [.init("l", long, bit: 0)])
    _ = writer.structure(
      "fields", size: 16,
      [.init("a", int, bit: 3, bits: 5), .init("b", int, bit: 30, bits: 4), .init("c", char, bit: 56)])
    // Members that lie in each other.
    _ = writer.structure("rust", size: 8, [.init("a", long, bit: 0), .init("b", int, bit: 16)])
    return writer
  }

  private static let assertions = """
    #define AT(t, m, n) _Static_assert(__builtin_offsetof(t, m) == n, #m)
    #define SIZE(t, n) _Static_assert(sizeof(t) == n, #t)
    SIZE(struct twin, 4); SIZE(struct twin___2, 8); SIZE(enum twin___3, 4); SIZE(union shared, 4); SIZE(taken, 8);
    SIZE(struct mixed, 384); SIZE(union wide, 64); SIZE(struct fields, 16); SIZE(struct rust, 8); SIZE(enum other, 1);
    AT(struct mixed, typeof_, 0); AT(struct mixed, a_b, 4); AT(struct mixed, kind, 8); AT(struct mixed, same, 12);
    AT(struct mixed, exit, 16); AT(struct mixed, rows, 24); AT(struct mixed, poly, 40); AT(struct mixed, half, 48);
    AT(struct mixed, c, 51); AT(struct mixed, l, 52); AT(struct mixed, tagged, 64); AT(struct mixed, next, 72);
    AT(struct mixed, odd, 80); AT(struct mixed, far, 256); AT(struct mixed, tail, 320); AT(struct fields, c, 7);
    AT(struct mixed, tagged.second, 64); SIZE(struct disk, 16); AT(struct disk, held.second, 8); SIZE(struct twin___4, 1);
    struct fields probe = {.a = -1, .b = -1};

    """

  @Test("Names that clash, forward declarations, packed and padded records, and what C cannot have")
  func awkwardTypes() throws {
    let kernel = awkward()
    let base = try #require(BTFTypes(kernel.bytes, origin: "kernel"))
    var writer = BTFWriter(continuing: kernel)
    // A module has a type of a name that the kernel has twice, and uses the kernel's second, number 10.
    _ = writer.structure("twin", size: 1, [.init("third", 3, bit: 0)])
    _ = writer.structure("disk", size: 16, [.init("own", 1, bit: 0), .init("held", 10, bit: 64)])
    let module = try #require(BTFTypes(writer.bytes, base: base, origin: "module", module: "disk"))
    #expect(base.types(named: TypeName("twin")).count == 2)
    let header = header(base.ownTypes, module.ownTypes)
    #expect(header.opaque == 1 && !header.isCutShort)
    #expect(header.text.contains("struct later;") && !header.text.contains("const const"))
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("header.o").path
      try CrossCompiler.compile(
        header.text + Self.assertions, ["-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror"], to: path)
      let fields = DWARFTypes(try ELFImage(path: path))
      for (name, first, count) in [("a", 3, 5), ("b", 30, 4)] {
        let member = try #require(fields.member(name, of: "fields"))
        let bits = try #require(member.bits)
        #expect(member.offset * 8 + bits.lowerBound == first && bits.count == count, "\(name)")
      }
    }
  }

  @Test("Types that lead to themselves, or into each other without end, end")
  func circles() throws {
    var writer = BTFWriter()
    _ = writer.reference(kind: 8, "circle", to: 1)
    _ = writer.structure("tree", size: 8, (0..<1000).map { _ in .init("", 2, bit: 0) } + [.init("leaf", 3, bit: 0)])
    _ = writer.integer("int", size: 4)
    for number in 4..<2000 { _ = writer.reference(kind: 8, "t\(number)", to: number == 4 ? 3 : number - 1) }
    let types = try #require(BTFTypes(writer.bytes, origin: "test"))
    let header = CHeader("test", room: 1 << 20)
    header.add(types.ownTypes)
    #expect(header.isCutShort && header.text.utf8.count < 4 << 20)
  }
}
