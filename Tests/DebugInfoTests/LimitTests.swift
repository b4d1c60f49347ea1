import DebugInfo
import Foundation
import TestSupport
import Testing

/// How far names and types are followed, and what becomes of what goes on.
@Suite struct LimitTests {
  @Test("A type behind more than 64 others", arguments: [60, 70])
  func depth(_ count: Int) throws {
    var writer = BTFWriter()
    var type = writer.integer("int", size: 4)
    for number in 0..<count { type = writer.reference(kind: 8, "t\(number)", to: type) }
    _ = writer.structure("s", size: 4, [.init("a", type, bit: 0)])
    let types = try #require(BTFTypes(writer.bytes, origin: "BTF"))
    #expect((types.member("a", of: "s")?.size == 4) == (count < 64))
    #expect((types.member("a", of: "s") == nil) == (count > 64))
  }

  @Test("A type of more than 4 GiB", arguments: [1 << 20, 1 << 28])
  func bytes(_ count: Int) throws {
    var writer = BTFWriter()
    let int = writer.integer("int", size: 4)
    let row = writer.array(of: int, index: int, count: 1 << 8)
    let table = writer.array(of: row, index: int, count: count)
    _ = writer.structure("s", size: 8, [.init("a", table, bit: 0)])
    let types = try #require(BTFTypes(writer.bytes, origin: "BTF"))
    #expect(types.member("a", of: "s")?.size == (count == 1 << 20 ? 1 << 30 : nil))
  }

  @Test("A name of more than 1,024 letters is none")
  func names() throws {
    try Scratch.withFolder { folder in
      let long = String(repeating: "x", count: 1025)
      let file = folder.appendingPathComponent("System.map")
      try Data("ffff800008010000 T _stext\nffff800008010010 T \(long)\nffff800008010020 T end\n".utf8).write(to: file)
      let map = try SystemMap(path: file.path, text: nil)
      #expect(map.symbol(named: "end")?.address == 0xffff_8000_0801_0020)
      #expect(map.symbol(named: long) == nil)
    }
  }
}
