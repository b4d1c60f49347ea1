import Foundation
import TestSupport
import Testing

/// Addresses that are not what they seem, and what is said of them.
@Suite struct AddressHintTests {
  private func withKernel(_ kernel: HandmadeKernel = HandmadeKernel(), _ body: (String) throws -> Void) throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      try body(path)
    }
  }

  @Test("A decimal address that is not found is said to be one")
  func decimal() throws {
    try withKernel { path in
      // 0x40005000 is 1073762304.
      for arguments in [["read", path, "--physical", "1073762304", "16"], ["rmap", path, "1073762304"]] {
        let result = try Kva.run(arguments)
        #expect(result.status == 1)
        #expect(result.standardError.contains("1073762304 was read as hex; decimal? 0x40005000"), "\(arguments)")
      }
      for command in ["resolve", "identify"] {
        let hint = "1073762304 was read as hex; decimal? 0x40005000"
        let result = try Kva.run([command, path, "1073762304"])
        #expect(result.status == 1 && result.text.contains(hint), "\(result.text)")
        let answer = try Kva.run([command, path, "1073762304", "--json"]).object()
        #expect((answer["message"] as? String)?.contains(hint) == true)
        #expect(!(try Kva.run([command, path, "0x1073762304"]).text.contains("decimal")))
      }
      // Hex digits alone are an address, and one that is there is not doubted.
      #expect(try Kva.run(["read", path, "--physical", "40005000", "16"]).standardError == "")
      #expect(!(try Kva.run(["read", path, "--physical", "4000500f0", "16"])).standardError.contains("decimal"))
    }
  }

  @Test("A number of a request is that number, whatever its digits")
  func numbers() throws {
    try withKernel { path in
      let requests = """
        {"id":1,"command":"read","arguments":[1073762304,16],"options":{"physical":true}}
        {"id":2,"command":"rmap","arguments":[1073762304]}
        {"id":3,"command":"resolve","arguments":[18446603336355434512]}
        {"id":4,"command":"resolve","arguments":["ffff800008005010"]}
        {"id":5,"command":"resolve","arguments":[1.5]}

        """
      let answers = try Kva.run(["batch", path], input: requests).objects()
      func first(_ index: Int) -> [String: Any]? { (answers[index]["results"] as? [[String: Any]])?.first }
      try #require(answers.count == 5)
      let known = (0..<16).map { HandmadeKernel.knownByte($0) }
      #expect(first(0)?["bytes"] as? String == known.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
      #expect(first(1)?["virtual"] as? String == "0xffff800008005000")
      #expect(first(2)?["physical"] as? String == "0x40005010")
      #expect(first(3)?["physical"] as? String == "0x40005010")
      #expect(answers[4]["status"] as? Int == 64)
    }
  }

  @Test("ptdump says that a range or a region is not of the tables")
  func ranges() throws {
    try withKernel { path in
      for (arguments, words) in [
        (["--range", "0x0-0x10"], "there are no kernel addresses in this range; for user space give --ttbr0 PID"),
        (["--region", "user"], "give --ttbr0 PID instead of --region user"),
        (["--ttbr0", "0x40001000", "--range", "ffff800008005000-ffff800008006000"], "there are no user addresses"),
      ] {
        let result = try Kva.run(["ptdump", path] + arguments)
        #expect(result.status == 1 && result.text == "" && result.standardError.contains(words), "\(result)")
      }
      let found = try Kva.run(["ptdump", path, "--range", "ffff800008005000-ffff800008006000"])
      #expect(found.status == 0 && found.lines.count == 1)
    }
  }

  @Test("Without a kernel, info says the same in text and JSON, the note's facts among it")
  func infoWithoutKernel() throws {
    var kernel = HandmadeKernel()
    kernel.vmcoreinfo = [
      "OSRELEASE=6.1.0-handmade", "PAGESIZE=4096", "BUILD-ID=0123456789abcdef", "CRASHTIME=1700000000",
    ]
    try withKernel(kernel) { path in
      let result = try Kva.run(["info", path, "--json"])
      #expect(result.status == 1)
      let info = try result.object()
      #expect(info["release"] as? String == "6.1.0-handmade")
      #expect(info["buildID"] as? String == "0123456789abcdef")
      #expect(info["crashTime"] as? Int == 1_700_000_000)
      #expect(info["pageSize"] as? Int == 4096)
      #expect(info["pagesPresent"] as? Int == 16 && info["pagesTotal"] as? Int == 16)
      let text = try Kva.run(["info", path]).lines
      #expect(text.contains { $0.hasPrefix("release ") && $0.contains("6.1.0-handmade") })
      #expect(text.contains { $0.hasPrefix("pages present ") && $0.hasSuffix("16 of 16") })
    }
    kernel.vmcoreinfo = []
    try withKernel(kernel) { path in
      let info = try Kva.run(["info", path, "--json"]).object()
      #expect(info["pageSize"] is NSNull && info["pagesPresent"] as? Int == 16)
    }
  }

  @Test("info lists device dumps, what makedumpfile erased and what it left out of vmemmap")
  func addedAndErased() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      var writer = KdumpWriter(frameCount: 8, [2: .kept(.zeros(4096).map { $0 | 1 }, .zlib)])
      writer.status = 0x11
      writer.dumpLevel = 1
      writer.eraseInfo = "erase task_struct.comm 16\n"
      writer.notes =
        CoreWriter.note("LINUX\0\0", 0x700, Array("nic".utf8) + .zeros(41) + .zeros(4096))
        + CoreWriter.vmcoreinfo("OSRELEASE=6.1.0\n")
      try Data(writer.bytes()).write(to: URL(fileURLWithPath: path))
      let info = try Kva.run(["info", path, "--json"]).object()
      let devices = try #require(info["deviceDumps"] as? [[String: Any]])
      #expect(devices.map { $0["name"] as? String } == ["nic"] && devices.map { $0["size"] as? Int } == [4096])
      #expect(info["eraseInfo"] as? [String] == ["erase task_struct.comm 16"])
      #expect(info["leftOut"] as? [String] == ["zero pages", "parts of vmemmap"])
      #expect(info["release"] as? String == "6.1.0")
      let text = try Kva.run(["info", path]).lines
      #expect(text.contains { $0.hasPrefix("device dump ") && $0.contains("nic") })
      #expect(text.contains { $0.hasPrefix("erased ") && $0.hasSuffix("erase task_struct.comm 16") })
    }
  }
}
