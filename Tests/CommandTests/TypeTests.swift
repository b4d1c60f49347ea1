import Foundation
import TestSupport
import Testing

/// Layouts of types from BTF, against DWARF as drgn reads it, and against what the kernel's headers say.
@Suite struct TypeTests {
  private static let rich = DumpEntry.all.filter { $0.has("oracle/rich/drgn.json") }.flatMap(\.elfDumps)

  @Test("Sizes and members are those of DWARF", .enabled(if: !rich.isEmpty), arguments: rich)
  func drgn(_ dump: Dump) throws {
    let oracle = try #require(
      JSONSerialization.jsonObject(with: dump.entry.data("oracle/rich/drgn.json")) as? [String: Any])
    let layouts = try #require(oracle["layouts"] as? [[String: Any]]).filter { $0["members"] != nil }
    let names = layouts.compactMap { $0["type"] as? String }
    let found = try Kva.run(["type", dump.path(), "--json"], input: names.joined(separator: "\n")).objects()
    var mine: [String: [String: Any]] = [:]
    for object in found { mine[try #require(object["type"] as? String)] = object }
    #expect(names.count > 50)
    for layout in layouts {
      let name = try #require(layout["type"] as? String)
      let type = try #require(mine[name], "\(name)")
      #expect(type["size"] as? Int == layout["size"] as? Int, "\(name)")
      func places(_ members: Any?) -> [String] {
        (members as? [[String: Any]] ?? []).map {
          "\($0["name"] as? String ?? "") \($0["bit"] as? Int ?? -1) \($0["bits"] as? Int ?? 0)"
        }
      }
      #expect(places(type["members"]) == places(layout["members"]), "\(name)")
    }
  }

  private static func plain() throws -> String { try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf") }

  @Test("A structure as pahole shows it: offsets, sizes, bit fields and holes")
  func text() throws {
    let lines = try Kva.run(["type", Self.plain(), "struct", "list_head", "rb_node"]).lines
    #expect(lines[0] == "struct list_head {" && lines[3] == "    /* size: 16, members: 2 */" && lines[4] == "};")
    #expect(lines[1].hasPrefix("    struct list_head *next;") && lines[1].hasSuffix("/*     0     8 */"))
    #expect(lines[2].hasPrefix("    struct list_head *prev;") && lines[2].hasSuffix("/*     8     8 */"))
    #expect(lines.contains { $0.hasPrefix("    unsigned long __rb_parent_color;") || $0.contains("__rb_parent_color") })
    // include/linux/sched.h and include/linux/gfp_types.h, include/linux/pid_types.h
    let others = try Kva.run(["type", Self.plain(), "enum", "pid_type", "gfp_t", "schedule"]).lines
    #expect(others[1] == "    PIDTYPE_PID," || others[1] == "    PIDTYPE_PID = 0,")
    #expect(others.contains { $0.hasPrefix("typedef unsigned int gfp_t;") })
    #expect(others.last == "void schedule(void);")
  }

  @Test("An offset leads through nested members, arrays and bit fields")
  func offsets() throws {
    // struct list_head is two pointers; include/uapi/linux/utsname.h: six arrays of 65 bytes.
    let path = try Self.plain()
    func member(_ type: String, _ offset: String) throws -> [String: Any] {
      try #require(try Kva.run(["type", path, type, "--offset", offset, "--json"]).objects().first)
    }
    let prev = try member("list_head", "12")
    #expect(prev["member"] as? String == "prev" && prev["memberOffset"] as? Int == 4)
    let release = try member("new_utsname", "0x82")
    #expect(release["member"] as? String == "release" && release["memberOffset"] as? Int == 0)
    let beyond = try Kva.run(["type", path, "list_head", "--offset", "16"])
    #expect(beyond.status == 1 && beyond.standardError.contains("beyond its end"))
  }

  @Test("Patterns list names, and a wrong name gets one line with a better one")
  func names() throws {
    let path = try Self.plain()
    let listed = try Kva.run(["type", path, "struct list_h*d"]).lines
    #expect(listed == ["      16  struct list_head"])
    let wrong = try Kva.run(["type", path, "struct list_haed"])
    #expect(wrong.status == 1 && wrong.standardError.contains("no type 'struct list_haed'; did you mean list_head"))
    #expect(wrong.standardError.split(separator: "\n").count == 1)
    let other = try Kva.run(["type", path, "union", "list_head"])
    #expect(other.standardError.contains("there is 'struct list_head'"))
    #expect(try Kva.run(["type", path, "nomodule:list_head"]).standardError.contains("no module 'nomodule'"))
  }
}
