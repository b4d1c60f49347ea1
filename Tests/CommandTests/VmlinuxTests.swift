import TestSupport
import Testing

/// `--vmlinux`: names from the kernel's own file, held against the guest's kallsyms.
@Suite struct VmlinuxTests {
  @Test("Names resolve to the addresses of /proc/kallsyms")
  func names() throws {
    let entry = try DumpEntry.named("c612-64k52")
    let facts = try entry.facts()
    let kallsyms = try entry.kallsyms()
    let text = try #require(kallsyms["_text"])
    let end = try #require(kallsyms["_end"])
    // Absolute symbols and those of per-CPU offsets lie outside the image.
    let names =
      kallsyms.filter { (text..<end).contains($0.value) }.keys.sorted().enumerated()
      .filter { $0.offset % 50 == 0 }.map(\.element) + [
        "init_task", "linux_banner", "vectors", "memstart_addr",
      ]
    try #require(names.count > 300)
    let answers = try Kva.run(
      ["resolve", entry.path("vmcore.elf"), "--json", "--vmlinux", entry.path("vmlinux")],
      input: names.joined(separator: "\n")
    ).objects()
    try #require(answers.count == names.count)
    var mapped = 0
    for (name, answer) in zip(names, answers) {
      let address = try #require(kallsyms[name])
      #expect(answer["virtual"] as? String == hex(address), "\(name)")
      #expect(answer["symbol"] as? String == name)
      #expect(answer["offset"] as? Int == 0)
      #expect(answer["region"] as? String == "kernel image", "\(name)")
      guard answer["status"] as? String == "mapped" else { continue }
      mapped += 1
      #expect(answer["physical"] as? String == hex(address &- facts.kimageVoffset))
    }
    // The kernel unmaps what it needs only to start.
    #expect(mapped > names.count / 2)
  }

  @Test("Addresses are named by the symbol that they lie in")
  func addresses() throws {
    let entry = try DumpEntry.named("c612-64k52")
    let kallsyms = try entry.kallsyms()
    let owners = Dictionary(grouping: kallsyms, by: \.value)
    let questions = ["init_task", "linux_banner", "saved_command_line", "schedule", "kfree", "panic"]
    for name in questions {
      let address = try #require(kallsyms[name])
      try #require(owners[address]?.count == 1, "\(name) shares its address")
      let queries = [0, 1, 3].map { hex(address + $0) }
      let result = try Kva.run(
        ["resolve", entry.path("vmcore.elf"), "--json", "--vmlinux", entry.path("vmlinux")] + queries)
      let answers = try result.objects()
      for (answer, offset) in zip(answers, [0, 1, 3]) {
        #expect(answer["symbol"] as? String == name)
        #expect(answer["offset"] as? Int == offset)
      }
    }
  }

  @Test("Many addresses are named as a few are")
  func manyAddresses() throws {
    let entry = try DumpEntry.named("c612-64k52")
    let kallsyms = try entry.kallsyms()
    let shared = Dictionary(grouping: kallsyms, by: \.value).filter { $0.value.count > 1 }
    let text = try #require(kallsyms["_stext"])
    let end = try #require(kallsyms["_etext"])
    let functions = kallsyms.filter { (text..<end).contains($0.value) && shared[$0.value] == nil }
      .sorted { $0.value < $1.value }.enumerated().filter { $0.offset % 40 == 0 }.map(\.element)
    let answers = try Kva.run(
      ["resolve", entry.path("vmcore.elf"), "--json", "--vmlinux", entry.path("vmlinux")],
      input: functions.map { hex($0.value) }.joined(separator: "\n")
    ).objects()
    try #require(answers.count == functions.count && answers.count > 200)
    for (function, answer) in zip(functions, answers) {
      #expect(answer["symbol"] as? String == function.key)
      #expect(answer["offset"] as? Int == 0)
    }
  }

  @Test("A misspelt name is answered with names like it")
  func suggestions() throws {
    let entry = try DumpEntry.named("c612-64k52")
    let result = try Kva.run(
      ["resolve", entry.path("vmcore.elf"), "--vmlinux", entry.path("vmlinux"), "init_tsak"])
    #expect(result.status == 1)
    #expect(result.lines.count == 1)
    #expect(result.text.contains("init_task?"))
    #expect(result.standardError == "")
  }

  @Test("A vmlinux of another build is refused with both build-IDs, and taken with --force")
  func otherBuild() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let other = try DumpEntry.named("c612-64k52")
    let arguments = [
      "resolve", try entry.path("vmcore.elf"), "--vmlinux", try other.path("vmlinux"), "init_uts_ns",
    ]
    let refused = try Kva.run(arguments)
    #expect(refused.status == 2)
    #expect(refused.text == "")
    #expect(refused.errorLines.count == 1)
    #expect(refused.standardError.hasPrefix("kva: \(try other.path("vmlinux")): "))
    for owner in [entry, other] {
      let buildID = try #require(try owner.vmcoreinfo()["BUILD-ID"])
      #expect(refused.standardError.contains(buildID))
    }
    #expect(try Kva.run(arguments + ["--force"]).status == 0)
  }

  @Test(
    "What is no vmlinux is refused in one line", arguments: ["a dump", "no file", "text", "of x86-64", "cut"])
  func noVmlinux(_ what: String) throws {
    try Scratch.withFolder { folder in
      let dump = try DumpEntry.named("c612-64k52").path("vmcore.elf")
      let path = folder.appendingPathComponent("vmlinux").path
      switch what {
      case "a dump": try CoreWriter(notes: [], [.init(0, [1])]).write(to: path)
      case "text": try "not a kernel\n".write(toFile: path, atomically: true, encoding: .utf8)
      case "of x86-64":
        var program = CoreWriter(notes: [], [.init(0, [1])])
        (program.type, program.machine) = (2, 62)
        try program.write(to: path)
      case "cut":
        let whole = try DumpEntry.named("c612-64k52").data("vmlinux")
        try whole.prefix(whole.count / 2).write(to: folder.appendingPathComponent("vmlinux"))
      default: break
      }
      let result = try Kva.run(["resolve", dump, "--vmlinux", path, "init_task"])
      #expect(result.status == 2)
      #expect(result.text == "")
      #expect(result.errorLines.count == 1)
      #expect(result.standardError.hasPrefix("kva: \(path): "))
    }
  }
}
