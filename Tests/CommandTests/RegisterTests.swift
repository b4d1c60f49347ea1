import Foundation
import TestSupport
import Testing

/// System registers that `kva info` computes, against those that each machine held.
@Suite struct RegisterTests {
  private static let dumps = (DumpEntry.testData + DumpEntry.corpus).filter { !$0.isNotedEarlier }.flatMap(\.elfDumps)

  private func info(_ dump: Dump) throws -> [String: Any] {
    try Kva.run(["info", dump.path(), "--json"]).object()
  }
  private func number(_ value: Any?) throws -> UInt64 { try parseAddress(#require(value as? String)) }

  @Test("What is known of TCR_EL1 and MAIR_EL1 is so", arguments: dumps)
  func control(_ dump: Dump) throws {
    let object = try info(dump)
    let tcr = try #require(object["tcr"] as? [String: Any])
    let value = try number(tcr["value"])
    let known = try number(tcr["known"])
    let level = try dump.entry.facts().kernelAt.hasPrefix("EL2") ? "EL2" : "EL1"
    for registers in try dump.entry.registers() {
      let held = try #require(registers["TCR_\(level)"])
      #expect(held & known == value, "held \(hex(held)), known \(hex(known)), value \(hex(value))")
      let mair = try #require(registers["MAIR_\(level)"])
      let knownTypes = try number(object["mairKnown"])
      #expect(try number(object["mair"]) & knownTypes == mair & knownTypes)
      // A dump of tables alone does not say whether the CPUs have MTE, which index 1 depends on.
      #expect(knownTypes | 0xff00 == .max)
    }
    // T0SZ, TG0, T1SZ, A1, TG1, AS, TBI0 and DS are known of every dump here.
    let always: UInt64 = 0x3f | 3 << 14 | 0x3f << 16 | 1 << 22 | 3 << 30 | 1 << 36 | 1 << 37 | 1 << 59
    #expect(known & always == always)
    #expect(tcr["t1sz"] as? Int == (try 64 - dump.entry.facts().vaBitsActual))
    #expect(tcr.count > 30)
  }

  @Test("The general registers of each CPU, and VMCOREINFO, are those of the machine", arguments: dumps)
  func general(_ dump: Dump) throws {
    let object = try info(dump)
    let cpus = try #require(object["cpus"] as? [[String: Any]])
    for (cpu, registers) in zip(cpus, try dump.entry.registers()) {
      let general = try #require(cpu["registers"] as? [String: Any])
      #expect(general.count == 34)
      for number in 0...30 { #expect(try self.number(general["x\(number)"]) == registers["x\(number)"]) }
    }
    let lines = try #require(object["vmcoreinfo"] as? String).split(separator: "\n").map(String.init)
    let wanted = try dump.entry.vmcoreinfo()
    #expect(wanted.count > 20)
    for (key, value) in wanted { #expect(lines.contains("\(key)=\(value)"), "\(key)") }
  }

  @Test("A whole dump tells more of TCR_EL1 than one of tables")
  func controlOfAWholeDump() throws {
    let tcr = try #require(info(DumpEntry.named("c612-64k52").elfDumps[0])["tcr"] as? [String: Any])
    for name in ["tbi1", "ha", "hd", "e0pd1"] { #expect(tcr[name] as? Int != nil, "\(name)") }
    let tables = try #require(info(DumpEntry.named("c612-64k52-on48").elfDumps[0])["tcr"] as? [String: Any])
    for name in ["tbi1", "ha", "hd", "e0pd1", "ips", "nfd1"] { #expect(tables[name] is NSNull, "\(name)") }
  }

  @Test("TTBR1 of each CPU: at EL0 under KPTI it is the trampoline's", arguments: dumps)
  func ttbr1(_ dump: Dump) throws {
    let object = try info(dump)
    let facts = try dump.entry.facts()
    #expect(object["kpti"] as? Bool == facts.hasKPTI)
    let cpus = try #require(object["cpus"] as? [[String: Any]])
    let level = facts.kernelAt.hasPrefix("EL2") ? "EL2" : "EL1"
    for (cpu, registers) in zip(cpus, try dump.entry.registers()) {
      let held = try #require(registers["TTBR1_\(level)"])
      let isAtEL0 = try #require(registers["cpsr"]) & 0xf == 0
      #expect(cpu["atEL0"] as? Bool == isAtEL0)
      let said = try number(cpu["ttbr1"])
      #expect(said & 0xffff_ffff_fffe == held & 0xffff_ffff_fffe, "\(cpu)")
      if cpu["pid"] is Int {
        // The kernel of c612-64k52 has no BTF: its tasks are told by their shape, which knows no ASID.
        if dump.entry.name == "c612-64k52" {
          #expect(said >> 48 == 0)
        } else {
          #expect(said >> 48 == held >> 48)
          #expect(said >> 48 & 1 == 0 || !facts.hasKPTI || isAtEL0)
        }
        #expect(
          try number(cpu["ttbr0"]) & 0xffff_ffff_fffe == registers["TTBR0_\(level)"].map { $0 & 0xffff_ffff_fffe })
      }
      if let cnp = cpu["cnp"] as? Bool { #expect(cnp == (held & 1 == 1)) }
      #expect(said & 1 == (cpu["cnp"] as? Bool == true ? 1 : 0))
      let sources = try #require(cpu["sources"] as? [String: Any])
      #expect((sources["ttbr1"] as? String)?.contains("tramp_pg_dir") == (isAtEL0 && facts.hasKPTI))
    }
  }

  @Test("A CPU in the trampoline has its tables")
  func trampoline() throws {
    let entry = try DumpEntry.named("deb61-4k48")
    let registers = try entry.registers()
    let kernelPC = try #require(registers[0]["pc"])
    // CPU 1 is at EL0, so that its registers hold the trampoline's tables and vectors.
    let held = try #require(registers[1]["TTBR1_EL1"])
    let vectors = try #require(registers[1]["VBAR"])
    var core = try SilencedCore(path: entry.path("vmcore.tables.elf"))
    try core.replaceInNotes(Data([UInt8](little: kernelPC)), Data([UInt8](little: vectors + 0x480)))
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try core.file.write(to: URL(fileURLWithPath: path))
      let cpus = try #require(try Kva.run(["info", path, "--json"]).object()["cpus"] as? [[String: Any]])
      #expect(cpus[0]["atEL0"] as? Bool == false)
      #expect(try number(cpus[0]["ttbr1"]) & 0xffff_ffff_fffe == held & 0xffff_ffff_fffe)
      #expect(((cpus[0]["sources"] as? [String: Any])?["ttbr1"] as? String)?.contains("in the trampoline") == true)
    }
  }

  @Test("The root tables by name, where the kernel's symbols have them")
  func rootTables() throws {
    let entry = try DumpEntry.named("c612-64k52")
    let kallsyms = try entry.kallsyms()
    let offset = try entry.facts().kimageVoffset
    let tables = try #require(info(entry.elfDumps[0])["rootTables"] as? [[String: Any]])
    #expect(tables.first?["name"] as? String == "swapper_pg_dir")
    for name in ["swapper_pg_dir", "reserved_pg_dir", "tramp_pg_dir", "idmap_pg_dir", "init_pg_dir"] {
      let table = try #require(tables.first { $0["name"] as? String == name }, "\(name)")
      let virtual = try #require(kallsyms[name])
      #expect(table["virtual"] as? String == hex(virtual))
      #expect(table["physical"] as? String == hex(virtual &- offset))
    }
  }

  @Test("Without symbols they are found by their place and by what they hold")
  func rootTablesByStructure() throws {
    // A CPU at EL0 under KPTI: its TTBR1_EL1 is the trampoline's table.
    for name in ["deb61-4k48", "deb612-16k", "deb612-4k-n1", "c612-64k52-on48"] {
      let entry = try DumpEntry.named(name)
      let tables = try #require(info(entry.elfDumps[0])["rootTables"] as? [[String: Any]])
      let trampoline = try number(tables.first { $0["name"] as? String == "tramp_pg_dir" }?["physical"])
      let held = try #require(entry.registers().first { ($0["cpsr"] ?? 0) & 0xf == 0 }?["TTBR1_EL1"])
      // Of 64 KiB tables the register points at the part that hardware of 48 bits sees.
      #expect(held & 0xffff_ffff_fffe == trampoline + (name == "c612-64k52-on48" ? 0x1e00 : 0), "\(name)")
    }
  }

  @Test("Every address of the process at EL0 is answered as the MMU did", arguments: dumps)
  func userSpace(_ dump: Dump) throws {
    let facts = try dump.entry.facts()
    let registers = try dump.entry.registers()
    let asked = try dump.entry.mmu().userSamples
    #expect(asked.isEmpty == !facts.hasUserSpace)
    for (cpu, samples) in asked {
      let level = facts.kernelAt.hasPrefix("EL2") ? "EL2" : "EL1"
      let held = try #require(registers[cpu]["TTBR0_\(level)"]) & 0xffff_ffff_fffe
      // With 52-bit addresses bits 5:2 are the top four of the root's.
      let isWide = facts.pageSize == 65536 && facts.vaBits == 52 || facts.hasDS
      let root = isWide ? held & ~0x3f | (held >> 2 & 0xf) << 48 : held
      var roots = [hex(root)]
      if try info(dump)["cpus"].flatMap({ ($0 as? [[String: Any]])?[cpu]["pid"] }) is Int { roots.append("cpu\(cpu)") }
      for root in roots {
        let answers = try Kva.run(
          ["resolve", dump.path(), "--json", "--ttbr0", root],
          input: samples.map { hex($0.virtual) + "\n" }.joined()
        ).objects()
        try #require(answers.count == samples.count)
        var mapped = 0
        for (sample, answer) in zip(samples, answers) {
          // A fault of stage 2 says nothing of stage 1, which kva walks.
          if sample.physical == nil, facts.hasHostStage2 { continue }
          var physical = answer["status"] as? String == "mapped" ? answer["physical"] as? String : nil
          if sample.physical == nil, (answer["attributes"] as? [String: Any])?["user"] as? Bool == false {
            physical = nil
          }
          #expect(physical == sample.physical.map(hex), "\(hex(sample.virtual)) (\(sample.origin)) by \(root)")
          mapped += physical == nil ? 0 : 1
        }
        #expect(mapped > 50)
      }
    }
  }

  @Test("User space is read by a CPU, a PID and a root alike; a kernel thread has none, and that is explained")
  func userSpaceOfATask() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    let path = try entry.path("vmcore.elf")
    let cpus = try #require(Kva.run(["info", path, "--json"]).object()["cpus"] as? [[String: Any]])
    let pid = try #require(cpus[1]["pid"] as? Int)
    let root = try hex(#require(entry.registers()[1]["TTBR0_EL1"]) & 0xffff_ffff_fffe)
    #expect(cpus[1]["userTables"] as? String == root)
    let samples = try entry.mmu().wholeBytes.filter { $0.virtual >> 55 & 1 == 0 }.prefix(20)
    #expect(samples.count == 20)
    for sample in samples {
      for tables in ["cpu1", "\(pid)", root] {
        let read = try Kva.run(["read", path, hex(sample.virtual), "\(sample.bytes.count)", "--raw", "--ttbr0", tables])
        #expect(read.output == Data(sample.bytes), "\(hex(sample.virtual)) by \(tables)")
      }
    }
    let lists = try ["cpu1", "\(pid)", root].map { try Kva.run(["ptdump", path, "--ttbr0", $0]).text }
    #expect(Set(lists).count == 1 && lists[0].count > 500)
    let thread = try Kva.run(["resolve", path, "--ttbr0", "2", "0x400000"])
    #expect(thread.status == 1)
    #expect(thread.standardError.contains("PID 2 (kthreadd) is a kernel thread"))
  }
}
