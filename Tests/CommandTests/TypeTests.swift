import DebugInfo
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

  @Test(
    "A header of all types compiles, with the sizes and offsets of DWARF",
    .enabled(if: !rich.isEmpty && CrossCompiler.isAvailable), arguments: rich)
  func header(_ dump: Dump) throws {
    let oracle = try #require(
      JSONSerialization.jsonObject(with: dump.entry.data("oracle/rich/drgn.json")) as? [String: Any])
    let layouts = try #require(oracle["layouts"] as? [[String: Any]]).filter { $0["members"] != nil }
    var assertions = ""
    var bits: [(type: String, member: String, first: Int, count: Int)] = []
    for layout in layouts {
      let type = try #require(layout["type"] as? String)
      let size = try #require(layout["size"] as? Int)
      assertions += "_Static_assert(sizeof(\(type)) == \(size), \"\(type)\");\n"
      for member in layout["members"] as? [[String: Any]] ?? [] {
        guard let name = member["name"] as? String, let first = member["bit"] as? Int else { continue }
        if let count = member["bits"] as? Int {
          bits.append((type, name, first, count))
        } else {
          assertions += "_Static_assert(__builtin_offsetof(\(type), \(name)) * 8 == \(first), \"\(type).\(name)\");\n"
        }
      }
    }
    #expect(layouts.count > 50 && !bits.isEmpty)
    for (number, field) in bits.enumerated() { assertions += "\(field.type) v\(number);\n" }
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmlinux.h").path
      let result = try Kva.run(["type", dump.path(), "--export", "c", "-o", path])
      #expect(result.status == 0 && result.standardError.isEmpty, "\(result.standardError)")
      let object = folder.appendingPathComponent("types.o").path
      for withGCC in CrossCompiler.hasGCC ? [false, true] : [false] {
        try CrossCompiler.compile(
          "#include \"\(path)\"\n\(assertions)", ["-g", "-Wall", "-Wextra", "-Werror"], withGCC: withGCC, to: object)
        let types = DWARFTypes(try ELFImage(path: object))
        for field in bits {
          let name = try #require(field.type.split(separator: " ").last.map(String.init))
          let member = try #require(types.member(field.member, of: name))
          let found = try #require(member.bits, "\(name).\(field.member)")
          #expect(member.offset * 8 + found.lowerBound == field.first && found.count == field.count, "\(field)")
        }
      }
      // Named types alone, with what they need.
      let few = try Kva.run([
        "type", dump.path(), "struct", "list_head", "struct task_str?ct", "--export", "c", "-o", path,
      ])
      #expect(few.status == 0)
      let text = try String(contentsOfFile: path, encoding: .utf8)
      #expect(text.contains("\nstruct task_struct {") && !text.contains("\nstruct module_kobject {"))
      try CrossCompiler.compile("#include \"\(path)\"\nstruct task_struct v;\n", ["-Werror"], to: object)
    }
  }

  private static func has(_ tool: String) -> Bool {
    (try? Program.run("PATH=$PATH:/usr/sbin command -v \"$1\"", [tool]).status == 0) ?? false
  }

  @Test("pahole and bpftool read the BTF of the kernel and of a module", .enabled(if: has("bpftool") && has("pahole")))
  func rawBTF() throws {
    let entry = try #require(Self.rich.first { $0.entry.name == "deb61-4k48-rich" })
    let path = try entry.path()
    try Scratch.withFolder { folder in
      let kernel = folder.appendingPathComponent("vmlinux").path
      let module = folder.appendingPathComponent("fuse").path
      #expect(try Kva.run(["type", path, "--export", "btf", "-o", kernel]).status == 0)
      #expect(try Kva.run(["type", path, "--export", "btf", "--module", "fuse", "-o", module]).status == 0)
      let shown = try Program.run(
        """
        PATH=$PATH:/usr/sbin; set -e
        pahole -C list_head "$1"
        bpftool btf dump file "$1" format raw | grep -c "STRUCT 'task_struct'"
        bpftool -B "$1" btf dump file "$2" format raw | grep "STRUCT 'fuse_conn'"
        """, [kernel, module])
      #expect(shown.status == 0, "\(shown.standardError)")
      #expect(shown.text.contains("struct list_head *         prev;                 /*     8     8 */"))
      #expect(shown.text.contains("\n1\n") && shown.text.contains("STRUCT 'fuse_conn'"))
    }
  }

  @Test("What --export cannot do is said, and leaves no file")
  func exportMistakes() throws {
    let path = try Self.plain()
    try Scratch.withFolder { folder in
      let file = folder.appendingPathComponent("out").path
      for (arguments, status, words) in [
        (["--export", "c"], Int32(64), "name it with -o"), (["-o", file], 64, "go with --export"),
        (["--export", "btf", "-o", file, "list_head"], 64, "without --module"),
        (["--export", "c", "-o", file, "--json"], 64, "neither --json"),
        (["--export", "c", "-o", file, "no_such_type"], 1, "no type 'no_such_type'"),
        (["--export", "c", "-o", file, "no_such_*"], 1, "named like 'no_such_*'"),
        (["--export", "btf", "-o", file, "--module", "nomodule"], 1, "no module 'nomodule'"),
        (["--export", "c", "-o", path], 64, "is the dump itself"),
        (["--export", "btf", "-o", "/nonexistent/btf"], 2, "cannot be written"),
      ] {
        let result = try Kva.run(["type", path] + arguments)
        #expect(
          result.status == status && result.standardError.contains(words), "\(arguments): \(result.standardError)")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
  }
}
