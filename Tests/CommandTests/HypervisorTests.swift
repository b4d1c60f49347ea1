import Foundation
import TestSupport
import Testing

/// KVM's addresses at EL2: on a real machine whose registers were noted in the same instant, and on kernels made
/// by hand.
@Suite struct HypervisorTests {
  // MARK: - A real one

  private static let real = DumpEntry.corpus.first { $0.name == "deb61-4k48-kvm-nvhe" }

  @Test(
    "The registers at EL2 are those that the machine held", .enabled(if: real != nil, "no corpus here: set KVA_CORPUS"))
  func registers() throws {
    let entry = try #require(Self.real)
    let object = try Kva.run(["info", entry.path("vmcore.elf"), "--json"]).object()
    let hypervisor = try #require(object["hypervisor"] as? [String: Any])
    #expect(hypervisor["mode"] as? String == "nvhe")
    let cpus = try #require(hypervisor["cpus"] as? [[String: Any]])
    let machine = try entry.registers()
    try #require(cpus.count == machine.count)
    let names = [
      "ttbr0EL2": "TTBR0_EL2", "tcrEL2": "TCR_EL2", "mairEL2": "MAIR_EL2", "vbarEL2": "VBAR_EL2",
      "tpidrEL2": "TPIDR_EL2", "spEL2": "SP_EL2",
    ]
    for (number, cpu) in cpus.enumerated() {
      #expect(cpu["cpu"] as? Int == number)
      for (key, name) in names {
        let value = try #require(machine[number][name])
        #expect(cpu[key] as? String == hex(value), "CPU \(number) \(name)")
      }
      // What the kernel wrote; the CPU keeps the bits of features that it has.
      let written = try parseAddress(#require(cpu["hcrEL2"] as? String))
      #expect(try written & #require(machine[number]["HCR_EL2"]) == machine[number]["HCR_EL2"])
    }
  }

  @Test(
    "kern_hyp_va both ways, and the tables walked, for every function of the hypervisor",
    .enabled(if: real != nil, "no corpus here: set KVA_CORPUS"))
  func transform() throws {
    let entry = try #require(Self.real)
    let facts = try entry.facts()
    let machine = try entry.registers()[0]
    let kallsyms = try entry.kallsyms()
    let memory = try CoreReader(path: entry.path("vmcore.elf"))
    func physical(_ symbol: UInt64) -> UInt64 { symbol &- facts.kimageVoffset }
    func linear(_ physical: UInt64) -> UInt64 { 0xffff_0000_0000_0000 &+ (physical &- facts.physOffset) }
    // VBAR_EL2 is the hyp address of one symbol: what they differ by above the low bits is so for all of them.
    let vectors = try #require(kallsyms["__kvm_nvhe___kvm_hyp_host_vector"])
    let distance = try #require(machine["VBAR_EL2"]) &- linear(physical(vectors))
    let root = try #require(machine["TTBR0_EL2"])
    func walked(_ address: UInt64) throws -> UInt64? {
      var table = root
      for shift in [UInt64(39), 30, 21, 12] {
        let entry = try memory.word(table + (address >> shift & 511) * 8) ?? 0
        guard entry & 1 == 1 else { return nil }
        table = entry & 0xffff_ffff_f000
      }
      return table | address & 0xfff
    }
    let start = try #require(kallsyms["__hyp_text_start"])
    let end = try #require(kallsyms["__hyp_text_end"])
    let functions = kallsyms.filter { $0.value >= start && $0.value < end }.sorted {
      ($0.value, $0.key) < ($1.value, $1.key)
    }
    #expect(functions.count > 100)
    let addresses = functions.map { linear(physical($0.value)) &+ distance }
    let path = try entry.path("vmcore.elf")
    let back = try Kva.run(["resolve", path, "--json"], input: addresses.map { hex($0) + "\n" }.joined()).objects()
    let there = try Kva.run(
      ["resolve", path, "--el2", "--json"], input: functions.map { hex($0.value) + "\n" }.joined()
    )
    .objects()
    try #require(back.count == functions.count && there.count == functions.count)
    for (number, function) in functions.enumerated() {
      let expected = try #require(try walked(addresses[number]))
      #expect(expected == physical(function.value))
      for answer in [back[number], there[number]] {
        #expect(answer["status"] as? String == "mapped", "\(function.key)")
        #expect(answer["virtual"] as? String == hex(addresses[number]))
        #expect(answer["physical"] as? String == hex(expected))
        #expect(answer["region"] as? String == "hypervisor")
        let hypervisor = answer["hypervisor"] as? [String: Any]
        #expect(hypervisor?["part"] as? String == "linear")
        #expect(hypervisor?["kernelAddress"] as? String == hex(linear(expected)))
        #expect((answer["root"] as? [String: Any])?["register"] as? String == "TTBR0_EL2")
      }
    }
  }

  @Test(
    "The parts beside the linear one: idmap, vectors, stacks",
    .enabled(if: real != nil, "no corpus here: set KVA_CORPUS"))
  func parts() throws {
    let entry = try #require(Self.real)
    let facts = try entry.facts()
    let kallsyms = try entry.kallsyms()
    let path = try entry.path("vmcore.elf")
    let idmap = try #require(kallsyms["__hyp_idmap_text_start"]) &- facts.kimageVoffset
    let stack = try #require(try entry.registers()[0]["SP_EL2"])
    let answers = try Kva.run(["resolve", path, "--json", hex(idmap), hex(stack - 8)]).objects()
    let parts = answers.map { ($0["hypervisor"] as? [String: Any])?["part"] as? String }
    #expect(parts == ["idmap", "private"])
    #expect(answers[0]["physical"] as? String == hex(idmap))
    // The CPU, a Cortex-A72, has Spectre-v3a: its vectors are in the private area.
    let ranges = try Kva.run(["ptdump", path, "--el2", "--json"]).objects()
    let vectors = ranges.filter { ($0["hypervisor"] as? [String: Any])?["part"] as? String == "vectors" }
    #expect(vectors.count == 1)
    #expect(ranges.allSatisfy { $0["region"] as? String == "hypervisor" })
  }

  @Test(
    "The stack at EL2 of a panic there, on records laid by hand",
    .enabled(if: real != nil, "no corpus here: set KVA_CORPUS"))
  func stack() throws {
    let entry = try #require(Self.real)
    let facts = try entry.facts()
    let kallsyms = try entry.kallsyms()
    let machine = try entry.registers()[0]
    let memory = try CoreReader(path: entry.path("vmcore.elf"))
    func physical(_ symbol: UInt64) -> UInt64 { symbol &- facts.kimageVoffset }
    func linear(_ physical: UInt64) -> UInt64 { 0xffff_0000_0000_0000 &+ (physical &- facts.physOffset) }
    let vectors = try #require(kallsyms["__kvm_nvhe___kvm_hyp_host_vector"])
    let distance = try #require(machine["VBAR_EL2"]) &- linear(physical(vectors))
    func walked(_ address: UInt64, root: UInt64) throws -> UInt64 {
      var table = root
      for shift in [UInt64(39), 30, 21, 12] {
        let entry = try memory.word(table + (address >> shift & 511) * 8) ?? 0
        try #require(entry & 1 == 1)
        if shift == 21, entry & 2 == 0 { return entry & 0xffff_ffe0_0000 | address & 0x1f_ffff }
        table = entry & 0xffff_ffff_f000
      }
      return table | address & 0xfff
    }
    let top = try #require(machine["SP_EL2"])
    let stack = try walked(top - 4096, root: #require(machine["TTBR0_EL2"]))
    // The per-CPU variables of the hypervisor: what it adds to their link-time place is TPIDR_EL2.
    let info = try Kva.run(["info", entry.path("vmcore.elf"), "--json"]).object()
    let cpu = try #require((info["hypervisor"] as? [String: Any])?["cpus"] as? [[String: Any]])[0]
    let source = try #require((cpu["sources"] as? [String: String])?["tpidrEL2"])
    let parameters = try parseAddress(
      #require(source.split(separator: ",")[0].split(separator: " ").last.map(String.init)))
    let variable = parameters &- linear(0) &+ 0x100
    try #require(try (0..<4).allSatisfy { try memory.word(variable + $0 * 8) == 0 })
    func place(_ function: String) throws -> (hyp: UInt64, text: String) {
      let address = try #require(kallsyms[function])
      return (linear(physical(address)) &+ distance &+ 0x10, "\(function)+0x10/")
    }
    let path = try [
      place("__kvm_nvhe_hyp_panic"), place("__kvm_nvhe___kvm_vcpu_run"), place("__kvm_nvhe_handle_trap"),
    ]
    // What the kernel's own stack returns to: behind a call in the handler of such panics.
    let handler = physical(try #require(kallsyms["nvhe_hyp_panic_handler"]))
    func instruction(_ address: UInt64) throws -> UInt64 {
      try #require(try memory.word(address & ~7)) >> (address & 4 * 8) & 0xffff_ffff
    }
    let call = try #require(
      try stride(from: handler, to: handler + 256, by: 4).first { try instruction($0) >> 26 == 0x25 })
    let fp = try #require(machine["X29"] ?? machine["x29"])
    let record = try walked(fp, root: #require(machine["TTBR1_EL1"]) & 0xffff_ffff_f000)
    try Scratch.withFolder { folder in
      let copy = folder.appendingPathComponent("vmcore").path
      try FileManager.default.copyItem(atPath: entry.path("vmcore.elf"), toPath: copy)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: copy)
      let file = try #require(FileHandle(forUpdatingAtPath: copy))
      func write(_ physical: UInt64, _ words: [UInt64]) throws {
        try file.seek(toOffset: #require(memory.offset(physical, words.count * 8)))
        try file.write(contentsOf: words.withUnsafeBytes { Data($0) })
      }
      try write(variable, [top - 4096, top &- 0x10000, top - 0x100, path[0].hyp])
      try write(stack + 0xf00, [top - 0xc0, path[1].hyp])
      try write(stack + 0xf40, [top - 0x80, path[2].hyp])
      try write(stack + 0xf80, [0, 0])
      #expect(try Kva.run(["stack", copy, "cpu0", "--json"]).object()["hypervisor"] is NSNull)
      try write(record + 8, [call + 4 + facts.kimageVoffset])
      try file.close()
      let result = try Kva.run(["stack", copy, "cpu0"]).lines
      let start = try #require(result.firstIndex(of: " panicked at EL2, in:"))
      let frames = result[(start + 1)...].prefix(3)
      #expect(frames.count == 3)
      for (line, wanted) in zip(frames, path) { #expect(line.hasPrefix(" " + wanted.text), "\(line)") }
      let object = try Kva.run(["stack", copy, "cpu0", "--json"]).object()
      let trace = try #require(object["hypervisor"] as? [String: Any])
      #expect((trace["frames"] as? [[String: Any]])?.count == 3)
      #expect(trace["message"] is NSNull)
    }
  }

  // MARK: - Made by hand

  private func withKernel(
    _ change: (inout HypervisorKernel) -> Void,
    _ body: (_ run: ([String]) throws -> ProcessResult, _ path: String) throws -> Void
  ) throws {
    try Scratch.withFolder { folder in
      var kernel = HypervisorKernel()
      change(&kernel)
      let path = folder.appendingPathComponent("vmcore").path
      let map = folder.appendingPathComponent("System.map").path
      try kernel.write(to: path, map: map)
      try body({ try Kva.run($0 + ["--system-map", map]) }, path)
    }
  }

  /// What each part answers: address, physical, part, the kernel's address.
  private static let answers: [(String, String, String, String?)] = [
    ("0xa5c000006123", "0x40006123", "linear", "0xffff000000006123"),
    ("0xa5c000020010", "0x40020010", "linear", "0xffff000000020010"),
    ("0x40005abc", "0x40005abc", "idmap", "0xffff000000005abc"),
    ("0x40002800", "0x40006800", "vectors", "0xffff000000006800"),
    ("0x40001ff8", "0x40200ff8", "private", "0xffff000000200ff8"),
    ("0x40003004", "0x8010004", "private", nil),
  ]

  private func check(_ run: ([String]) throws -> ProcessResult, _ path: String) throws {
    for options in [[], ["--el2"]] {
      let answers = try run(["resolve", path, "--json"] + options + Self.answers.map(\.0)).objects()
      try #require(answers.count == Self.answers.count)
      for (answer, expected) in zip(answers, Self.answers) {
        #expect(answer["status"] as? String == "mapped", "\(expected.0)")
        #expect(answer["physical"] as? String == expected.1)
        let hypervisor = try #require(answer["hypervisor"] as? [String: Any])
        #expect(hypervisor["part"] as? String == expected.2)
        #expect(hypervisor["kernelAddress"] as? String == expected.3)
      }
      let rights = answers.map { ($0["attributes"] as? [String: Any] ?? [:]) }
      #expect(rights.map { $0["executableEL2"] as? Bool } == [true, false, true, true, false, false])
      #expect(rights.map { $0["writable"] as? Bool } == [false, true, false, false, true, true])
      #expect(rights.allSatisfy { $0["user"] as? Bool == false && $0["executableEL1"] is NSNull })
    }
    // A kernel address is moved there; what is in neither the linear map nor the image has no place.
    let moved = try run([
      "resolve", path, "--el2", "--json", "ffff000000004040", "ffff800008004040", "ffff800010000000",
    ])
    .objects()
    #expect(moved.map { $0["virtual"] as? String } == ["0xa5c000004040", "0xa5c000004040", "0xffff800010000000"])
    #expect(moved.map { $0["physical"] as? String } == ["0x40004040", "0x40004040", nil])
    // Other addresses of the lower half may be a process's.
    let other = try run(["resolve", path, "--json", "0x400000"]).object()
    #expect(other["status"] as? String == "no-tables")
    #expect(try run(["resolve", path, "--json", "--el2", "0x400000"]).object()["status"] as? String == "unmapped")
    let identity = try run(["identify", path, "--json", "0xa5c000006123"]).object()
    #expect(identity["kind"] as? String == "hypervisor")
    #expect((identity["hypervisor"] as? [String: Any])?["kernelAddress"] as? String == "0xffff000000006123")
    // The words of va_mask, tag_lsb.
    let bytes = try run(["read", path, "0xa5c000020000", "16", "--el2", "--json"]).object()
    #expect(bytes["bytes"] as? String == "ffffffff000000002000000000000000")
  }

  @Test("KVM's variables by name", arguments: ["hyp_pgtable", "hyp_pgd", "merged_hyp_pgd"])
  func variables(name: String) throws {
    try withKernel {
      $0.nameVariables(name)
      // Up to 5.9 the variable is the root's address itself.
      if name != "hyp_pgtable" { $0.kernel.memory[0x4002_0018] = AuditedKernel.linear + 0x18_0000 }
    } _: { run, path in
      try check(run, path)
      let info = try run(["info", path, "--json"]).object()
      let hypervisor = try #require(info["hypervisor"] as? [String: Any])
      #expect(hypervisor["mode"] as? String == "nvhe")
      #expect(hypervisor["vaMask"] as? String == "0xffffffff")
      #expect(hypervisor["tagLSB"] as? Int == 32)
      #expect(hypervisor["tagValue"] as? String == "0xa5c0")
      #expect(hypervisor["table"] as? String == "0x40180000")
      // 0x40000000 - 0xa5c000000000
      #expect(hypervisor["physvirtOffset"] as? String == "0xffff5a4040000000")
    }
  }

  @Test("With functions alone their code tells")
  func functions() throws {
    try withKernel {
      $0.nameFunctions()
      $0.kernel.memory[0x4002_0000] = 0
    } _: { run, path in
      // The first words of the data page are the variables, which this kernel does not use.
      let answer = try run(["resolve", path, "--json", "0xa5c000006123"]).object()
      #expect(answer["physical"] as? String == "0x40006123")
      let info = try run(["info", path, "--json"]).object()
      let sources = (info["hypervisor"] as? [String: Any])?["sources"] as? [String: Any]
      #expect((sources?["transform"] as? String)?.contains("create_hyp_mappings") == true)
      #expect((sources?["table"] as? String)?.contains("kvm_mmu_get_httbr") == true)
    }
  }

  @Test("Tables that do not bear the code out are not taken", arguments: [0, 1, 2])
  func notBorneOut(what: Int) throws {
    try withKernel {
      $0.nameVariables()
      switch what {
      // The idmap page is elsewhere; the transform leads elsewhere; the root is an empty page.
      case 0: $0.tables.map(0x4000_5000, to: 0x4000_7000, attributes: HypervisorKernel.text)
      case 1: $0.kernel.memory[0x4002_0010] = 0xa5c1
      default: $0.kernel.memory[0x4002_1008] = AuditedKernel.linear + 0x22_0000
      }
    } _: { run, path in
      let result = try run(["resolve", path, "--el2", "0xa5c000006123"])
      #expect(result.status == 1)
      #expect(result.standardError.contains("--el2: the hypervisor's tables were not found"))
      let info = try run(["info", path, "--json"]).object()
      let hypervisor = try #require(info["hypervisor"] as? [String: Any])
      #expect(hypervisor["mode"] is NSNull && hypervisor["table"] is NSNull && hypervisor["vaMask"] is NSNull)
      #expect((hypervisor["notes"] as? [String])?.count == 1)
    }
  }

  @Test("Under VHE nothing further is mapped, and that is said")
  func vhe() throws {
    try withKernel {
      $0.nameVariables()
      // x0 to x30 and sp, then pc in the kernel and PSTATE.M EL2h.
      $0.kernel.registers = [UInt64](repeating: 0, count: 32) + [AuditedKernel.text + 0x40, 0x6040_03c9]
    } _: { run, path in
      let info = try run(["info", path, "--json"]).object()
      #expect((info["hypervisor"] as? [String: Any])?["mode"] as? String == "vhe")
      let result = try run(["ptdump", path, "--el2"])
      #expect(result.status == 1)
      #expect(result.standardError.contains("the kernel runs at EL2 (VHE): nothing further is mapped"))
      #expect(try run(["resolve", path, "--json", "0xa5c000006123"]).object()["status"] as? String == "no-tables")
      #expect(try run(["info", path]).lines.contains { $0.hasPrefix("hypervisor") && $0.contains("VHE") })
    }
  }

  @Test(
    "A kernel at EL1, or a hypervisor's own code, is no VHE",
    arguments: [
      (AuditedKernel.text + 0x40, 0x3c5), (0xa5c0_0000_4000, 0x3c9),
    ] as [(UInt64, UInt64)])
  func notVHE(pc: UInt64, pstate: UInt64) throws {
    try withKernel {
      $0.nameVariables()
      $0.kernel.registers = [UInt64](repeating: 0, count: 32) + [pc, pstate]
    } _: { run, path in
      let info = try run(["info", path, "--json"]).object()
      #expect((info["hypervisor"] as? [String: Any])?["mode"] as? String == "nvhe")
    }
  }

  @Test("--el2 goes with no other tables")
  func usage() throws {
    let path = try DumpEntry.named("deb61-4k48").elfDumps[0].path()
    for arguments in [
      ["resolve", path, "--el2", "--ttbr0", "0x1000", "0"], ["ptdump", path, "--el2", "--format", "kernel"],
      ["ptdump", path, "--el2", "--region", "vmalloc"], ["read", path, "0", "--el2", "--ttbr0", "1"],
    ] {
      #expect(try Kva.run(arguments).status == 64)
    }
  }
}
