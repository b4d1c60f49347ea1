import DebugInfo
import Foundation
import TestSupport
import Testing

/// Types from DWARF, against what the compiler itself asserts.
@Suite(.enabled(if: CrossCompiler.isAvailable, "clang and its linker are not there"))
struct DWARFTests {
  /// The sample compiled with `flags`, the compiler having checked every expected offset.
  private func types(_ flags: [String]) throws -> DWARFTypes {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("kva-dwarf-\(UUID().uuidString).o").path
    try CrossCompiler.compile(Sample.source + "\n" + Sample.uses + Sample.assertions, flags, to: path)
    return DWARFTypes(try ELFImage(path: path))
  }

  @Test("Members and sizes are where the compiler puts them", arguments: ["-gdwarf-4", "-gdwarf-5"])
  func members(_ version: String) throws {
    let types = try types(["-g", version])
    for expected in Sample.members {
      let member = types.member(expected.path, of: expected.type)
      #expect(member?.offset == expected.offset, "\(expected)")
      if expected.size > 0 { #expect(member?.size == expected.size, "\(expected)") }
    }
    for (type, _, size) in Sample.sizes where !type.contains(" ") {
      #expect(types.size(of: type) == size, "\(type)")
    }
  }

  @Test("Bit fields are the bits that the compiler sets", arguments: ["-gdwarf-4", "-gdwarf-5"])
  func bitFields(_ version: String) throws {
    let types = try types(["-g", version])
    for field in Sample.bitFields {
      let member = types.member(field.path, of: "bits")
      let first = member.flatMap { member in member.bits.map { member.offset * 8 + $0.lowerBound } }
      #expect(first == field.offset * 8 + field.bits.lowerBound, "\(field.path)")
      #expect(member?.bits?.count == field.bits.count, "\(field.path)")
    }
  }

  @Test("Each named type is listed once, with its name space", arguments: ["-gdwarf-4", "-gdwarf-5"])
  func names(_ version: String) throws {
    // The same header in two units, as a kernel has it in each.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("kva-dwarf-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let objects = ["first", "second"].map { folder.appendingPathComponent("\($0).o").path }
    try CrossCompiler.compile(Sample.source + Sample.plainUses, ["-g", version], to: objects[0])
    let rest = "struct late { struct item item; };\nenum { early_bird = -7, late_bird };\n"
    try CrossCompiler.compile(
      Sample.source + rest + "struct late late_one; int second(struct late *p, ...) { return late_bird; }\n",
      ["-g", version], to: objects[1])
    let file = folder.appendingPathComponent("vmlinux").path
    try CrossCompiler.link(objects, to: file)
    let types = DWARFTypes(try ELFImage(path: file))
    var listed: [String] = []
    types.forEachType { name, _ in
      listed.append("\(name)")
      return true
    }
    for name in [
      "struct item", "struct holder", "holder_t", "alias_of_alias", "union choice", "struct tight", "struct bits",
      "enum mode", "struct both", "both", "counter_t", "table_t", "u8", "struct late", "int",
    ] {
      #expect(listed.count { $0 == name } == 1, "\(name)")
    }
    #expect(!listed.contains("struct declared_only") && !listed.contains("v1"))
    var first: [TypeName] = []
    types.forEachType { name, _ in
      first.append(name)
      return first.count < 3
    }
    #expect(first.count == 3)
    // Enumerators of enumerations with a name and without, negative ones, and none.
    #expect(types.enumerator(named: "loud")?.value == 0x10000 && types.enumerator(named: "quiet")?.value == 0)
    #expect(types.enumerator(named: "loud")?.type.text == "enum mode")
    #expect(types.enumerator(named: "early_bird")?.value == -7 && types.enumerator(named: "late_bird")?.value == -6)
    #expect(types.enumerator(named: "item") == nil && types.enumerator(named: "no_bird") == nil)
    // Functions with their parameters.
    func prototype(_ name: String) -> CFunction? {
      if case .function(let function)? = types.function(named: name)?.shape { function } else { nil }
    }
    let second = prototype("second")
    #expect(second?.parameters.map(\.name) == ["p"] && second?.isVariadic == true && second?.result.text == "int")
    #expect(second?.parameters.first?.type.text == "struct late *" && prototype("function")?.isVariadic == false)
    #expect(types.function(named: "loud") == nil && types.function(named: "late_one") == nil)
    #expect(types.variable(named: "late_one")?.text == "struct late")
  }

  @Test("What is not there is nil, whatever is asked")
  func absent() throws {
    let types = try types(["-g"])
    for (path, type) in [
      ("none", "item"), ("number", "no_such_type"), ("links.none", "holder"), ("", "item"), ("next.flag", "item"),
    ] {
      #expect(types.member(path, of: type) == nil, "\(type).\(path)")
    }
    #expect(types.size(of: "declared_only") == nil)
    #expect(types.size(of: "") == nil)
  }

  @Test("A type in another unit is found, as LTO writes it")
  func otherUnit() throws {
    // struct outer { ...; struct inner_type inner; } in one unit, struct inner_type { ...; base last; } in the next.
    let text = """
      .section .debug_abbrev,\\"\\",%progbits
      .byte 1, 0x11, 1, 0, 0
      .byte 2, 0x13, 1, 0x03, 0x08, 0x0b, 0x0b, 0, 0
      .byte 3, 0x0d, 0, 0x03, 0x08, 0x49, 0x10, 0x38, 0x0b, 0, 0
      .byte 4, 0x24, 0, 0x0b, 0x0b, 0, 0
      .byte 0
      .section .debug_info,\\"\\",%progbits
      .4byte 1f - 0f
      0: .2byte 4
      .4byte 0
      .byte 8, 1
      .byte 2
      .asciz \\"outer\\"
      .byte 32, 3
      .asciz \\"inner\\"
      .4byte inner_type - .debug_info
      .byte 8, 0, 0
      1: .4byte 3f - 2f
      2: .2byte 4
      .4byte 0
      .byte 8, 1
      inner_type: .byte 2
      .asciz \\"inner_type\\"
      .byte 24, 3
      .asciz \\"last\\"
      .4byte base - .debug_info
      .byte 16, 0
      base: .byte 4, 8
      .byte 0
      3:
      """
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("kva-dwarf-\(UUID().uuidString).o").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let lines = text.split(separator: "\n").map { "\"\($0)\\n\"" }.joined(separator: "\n")
    try CrossCompiler.compile("asm(\(lines));", [], to: path)
    let types = DWARFTypes(try ELFImage(path: path))
    #expect(types.size(of: "outer") == 32)
    #expect(types.member("inner", of: "outer")?.size == 24)
    #expect(types.member("inner.last", of: "outer")?.offset == 24)
    #expect(types.member("inner.last", of: "outer")?.size == 8)
  }

  @Test("An object without DWARF knows nothing, and damaged DWARF ends")
  func damaged() throws {
    #expect(try types([]).size(of: "item") == nil)
    let folder = FileManager.default.temporaryDirectory
    let good = folder.appendingPathComponent("kva-dwarf-\(UUID().uuidString).o")
    try CrossCompiler.compile(Sample.source + "\n" + Sample.uses, ["-g"], to: good.path)
    let bytes = try [UInt8](Data(contentsOf: good))
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<60 {
      var bad = bytes
      for _ in 0..<8 {
        bad[64 + Int(generator.next() % UInt64(bad.count - 64))] = UInt8(truncatingIfNeeded: generator.next())
      }
      let file = folder.appendingPathComponent("kva-dwarf-bad-\(UUID().uuidString).o")
      try Data(bad).write(to: file)
      if let image = try? ELFImage(path: file.path) {
        let types = DWARFTypes(image)
        _ = types.member("inner.item.name", of: "holder")
        _ = (types.enumerator(named: "loud"), types.function(named: "function"))
        types.forEachType { _, type in type.size != -1 }
      }
      try FileManager.default.removeItem(at: file)
    }
  }
}
