import Foundation
import TestSupport
import Testing

/// Facts that the user gives instead of the dump's.
@Suite struct OverrideTests {
  /// All facts of the handmade kernel; the root table by its physical address.
  static let all = [
    "--page-size", "4K", "--va-bits", "48", "--kimage-voffset", "0xffff7fffc8000000", "--swapper-pg-dir",
    "0x40001000",
  ]
  static let query = "0xffff800008005010"

  @Test("A dump without VMCOREINFO is resolved by what the user gives")
  func withoutVMCoreInfo() throws {
    try withCore(lines: []) { path in
      let refused = try Kva.run(["resolve", path, Self.query])
      #expect(refused.status == 2)
      #expect(refused.text == "")
      #expect(refused.errorLines.count == 1)
      #expect(refused.standardError.contains("--page-size"))
      let answer = try Kva.run(["resolve", path, "--json", Self.query] + Self.all)
      #expect(answer.status == 0)
      #expect(try answer.object()["physical"] as? String == "0x40005010")
      // Decimal, bytes and a virtual root are as good.
      let other = try Kva.run([
        "resolve", path, "--json", Self.query, "--page-size", "4096", "--va-bits", "48", "--swapper-pg-dir",
        "0xffff800008001000", "--kimage-voffset", "\(HandmadeKernel.kimageVoffset)",
      ])
      #expect(try other.object()["physical"] as? String == "0x40005010")
    }
  }

  @Test(
    "A width that the tables deny is used, and said to contradict them",
    arguments: [("48", "--va-bits 48 contradicts the tables: they translate 39 bits"), ("39", nil)])
  func contradiction(_ bits: String, _ words: String?) throws {
    var kernel = PlainKernel(
      .k4, .bits48, shape: 39, bits: 39, release: "6.6.0", text: 0xffff_ffc0_8000_0000, linear: 0xffff_ff80_0000_0000)
    kernel.vmcoreinfo.append("NUMBER(TCR_EL1_T1SZ)=0x19")
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let answer = try Kva.run(["resolve", path, "0xffffff8000100000", "--va-bits", bits])
      if let words {
        #expect(answer.standardError.contains(words), "\(answer.standardError)")
      } else {
        #expect(answer.standardError == "")
        #expect(answer.text.contains("-> 0x40100000  linear map"))
      }
    }
  }

  @Test("Each fact that is missing is asked for by its option", arguments: 0..<4)
  func missing(_ number: Int) throws {
    let lines = ["PAGESIZE", "NUMBER(VA_BITS)", "NUMBER(kimage_voffset)", "SYMBOL(swapper_pg_dir)"]
    let options = ["--page-size", "--va-bits", "--kimage-voffset", "--swapper-pg-dir"]
    let known = HandmadeKernel().vmcoreinfo.filter { !$0.hasPrefix(lines[number] + "=") }
    #expect(known.count == HandmadeKernel().vmcoreinfo.count - 1)
    try withCore(lines: known) { path in
      let refused = try Kva.run(["resolve", path, Self.query])
      #expect(refused.status == 2)
      #expect(refused.errorLines.count == 1)
      #expect(refused.standardError.contains(lines[number]))
      #expect(refused.standardError.contains(options[number]))
      let value = Self.all[try #require(Self.all.firstIndex(of: options[number])) + 1]
      let given = try Kva.run(["resolve", path, "--json", Self.query, options[number], value])
      #expect(given.status == 0)
      #expect(try given.object()["physical"] as? String == "0x40005010")
    }
  }

  @Test("What the user gives goes before what the dump says, and info says so")
  func precedence() throws {
    let wrong = [
      "OSRELEASE=6.1.0-handmade", "PAGESIZE=65536", "SYMBOL(swapper_pg_dir)=ffff80000800c000",
      "SYMBOL(_stext)=ffff800008000000", "NUMBER(VA_BITS)=42", "NUMBER(kimage_voffset)=0xffff7fff00000000",
      "NUMBER(PHYS_OFFSET)=0x80000000",
    ]
    try withCore(lines: wrong) { path in
      let options = Self.all + ["--phys-offset", "0x40000000"]
      let answer = try Kva.run(["resolve", path, "--json", Self.query] + options)
      #expect(answer.status == 0)
      #expect(answer.standardError == "")
      #expect(try answer.object()["physical"] as? String == "0x40005010")
      let info = try Kva.run(["info", path, "--json"] + options).object()
      #expect(info["pageSize"] as? Int == 4096)
      #expect(info["vaBits"] as? Int == 48)
      #expect(info["kimageVoffset"] as? String == "0xffff7fffc8000000")
      #expect(info["physOffset"] as? String == "0x40000000")
      #expect((info["swapperPgDir"] as? [String: Any])?["physical"] as? String == "0x40001000")
      let sources = try #require(info["sources"] as? [String: String])
      #expect(sources["pageSize"] == "--page-size")
      #expect(sources["vaBits"] == "--va-bits")
      #expect(sources["kimageVoffset"] == "--kimage-voffset")
      #expect(sources["physOffset"] == "--phys-offset")
      #expect(sources["swapperPhysical"] == "--swapper-pg-dir")
    }
  }

  @Test("A root table that does not map the kernel is warned of")
  func doubtful() throws {
    try withCore(lines: HandmadeKernel().vmcoreinfo) { path in
      let result = try Kva.run(["resolve", path, "--json", Self.query, "--swapper-pg-dir", "0x4000e000"])
      #expect(result.status == 1)
      #expect(try result.object()["status"] as? String == "unmapped")
      #expect(result.errorLines.count == 1)
      #expect(result.standardError.hasPrefix("kva: \(path): "))
      #expect(result.standardError.contains("--swapper-pg-dir"))
    }
  }

  private func withCore(lines: [String], _ body: (String) throws -> Void) throws {
    try Scratch.withFolder { folder in
      var kernel = HandmadeKernel()
      kernel.vmcoreinfo = lines
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      try body(path)
    }
  }
}
