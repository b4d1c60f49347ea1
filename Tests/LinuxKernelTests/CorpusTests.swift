import KernelVA
import TestSupport
import Testing

/// Real dumps against what the emulated MMU and the machine's registers said in the same instant.
@Suite struct CorpusTests {
  @Test("The MMU's answers, on the source's dumps", arguments: DumpEntry.testData.flatMap(\.elfDumps))
  func mmu(_ dump: Dump) throws { try checkTranslations(dump) }

  @Test("The kernel's facts, on the source's dumps", arguments: DumpEntry.testData.flatMap(\.elfDumps))
  func facts(_ dump: Dump) throws { try checkFacts(dump) }

  @Test(
    "The MMU's answers, on the corpus",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"),
    arguments: DumpEntry.corpus.flatMap(\.elfDumps))
  func mmuOfCorpus(_ dump: Dump) throws { try checkTranslations(dump) }

  @Test(
    "The kernel's facts, on the corpus",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"),
    arguments: DumpEntry.corpus.flatMap(\.elfDumps))
  func factsOfCorpus(_ dump: Dump) throws { try checkFacts(dump) }

  /// The dumps beside which the registers of the same instant are.
  private static func held(_ entries: [DumpEntry]) -> [Dump] {
    entries.filter { !$0.isNotedEarlier }.flatMap(\.elfDumps)
  }

  @Test("The registers of each CPU, on the source's dumps", arguments: held(DumpEntry.testData))
  func registers(_ dump: Dump) throws { try checkRegisters(dump) }

  @Test(
    "The registers of each CPU, on the corpus",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"),
    arguments: held(DumpEntry.corpus))
  func registersOfCorpus(_ dump: Dump) throws { try checkRegisters(dump) }

  @Test("Every entry of TestData is there, each but that of makedumpfile with one ELF dump")
  func entries() {
    #expect(
      DumpEntry.testData.map(\.name) == [
        "c61-4k48-nokaslr", "c612-64k52", "c612-64k52-on48", "deb61-4k48", "deb612-16k", "deb612-4k",
        "deb612-4k-n1", "kdump-61-4k48",
      ])
    for entry in DumpEntry.testData { #expect(entry.elfDumps.count == (entry.isNotedEarlier ? 0 : 1), "\(entry)") }
  }
}

/// Every kernel address of the oracle must be answered as the MMU did.
private func checkTranslations(_ dump: Dump) throws {
  let kernel = try Kernel(in: DumpFile(path: dump.path()))
  let hasHostStage2 = try dump.entry.facts().hasHostStage2
  // A fault of stage 2 says nothing of stage 1, which kva walks.
  let samples = try dump.entry.mmu().kernelSamples.filter { $0.physical != nil || !hasHostStage2 }
  #expect(samples.count > (hasHostStage2 ? 2000 : 3000))
  #expect(samples.count { $0.physical != nil } > 2000)
  var differences: [String] = []
  for sample in samples {
    let answer = kernel.resolve(VirtualAddress(sample.virtual))
    // Where the MMU faulted, "the table is not in the dump" would be no answer; in the lower half, which
    // the kernel's tables do not translate, "say which tables" is one.
    let isRight =
      if let physical = sample.physical {
        answer.status == .mapped && answer.physical?.rawValue == physical
      } else {
        answer.status == .unmapped || answer.status == .notCanonical
          || answer.status == .noTables && sample.virtual >> 55 & 1 == 0
      }
    if !isRight {
      differences.append(
        "\(hex(sample.virtual)) (\(sample.origin)): the MMU \(hex(sample.physical)), kva \(answer.status) "
          + hex(answer.physical?.rawValue))
    }
  }
  let drift = dump.entry.isNotedEarlier ? samples.count / 100 : 0
  #expect(differences.count <= drift, "\(differences.count) of \(samples.count): \(differences.prefix(8))")
}

private func hex(_ value: UInt64?) -> String { value.map { "0x" + String($0, radix: 16) } ?? "none" }

private func checkFacts(_ dump: Dump) throws {
  let file = try DumpFile(path: dump.path())
  let known = try dump.entry.facts()
  let facts = try Kernel(in: file).facts
  #expect(facts.granule.value.size == known.pageSize)
  #expect(facts.vaBits.value == known.vaBits)
  #expect(facts.vaBitsMin == known.vaBitsMin)
  #expect(facts.vaBitsActual.value == known.vaBitsActual)
  #expect(facts.kaslrOffset?.value == known.kaslrOffset)
  #expect(facts.physOffset?.value == known.physOffset)
  #expect(facts.kimageVoffset?.value == known.kimageVoffset)
  #expect(facts.swapperVirtual?.value.rawValue == known.swapperPgDir)
  #expect(facts.swapperPhysical.value.rawValue == known.swapperPgDir &- known.kimageVoffset)
  #expect(facts.release?.value == known.release)
  let vmcoreinfo = try dump.entry.vmcoreinfo()
  #expect(facts.buildID?.value == vmcoreinfo["BUILD-ID"])
  #expect(facts.crashTime?.value == vmcoreinfo["CRASHTIME"].flatMap { UInt64($0) })

  #expect(file.notes.cpus.count == known.notes.count { $0 == "CORE/0x1" })
}

private func checkRegisters(_ dump: Dump) throws {
  let file = try DumpFile(path: dump.path())
  let registers = try dump.entry.registers()
  try #require(file.notes.cpus.count == registers.count)
  for (cpu, expected) in zip(file.notes.cpus, registers) {
    #expect(cpu.pc == expected["pc"])
    #expect(cpu.sp == expected["sp"])
    #expect(cpu.pstate == expected["cpsr"])
    for number in 0...30 { #expect(cpu.general[number] == expected["x\(number)"], "x\(number)") }
  }
}
