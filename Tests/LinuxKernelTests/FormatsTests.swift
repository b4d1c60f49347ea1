import Foundation
import KernelVA
import TestSupport
import Testing

/// The same machine in other formats than ELF: the same answers, and the same pages where they were kept.
@Suite("Dump formats, on real dumps") struct FormatsTests {
  @Test("The MMU's answers, on the source's dumps", arguments: DumpEntry.testData.flatMap(\.otherDumps))
  func mmu(_ dump: Dump) throws { try checkAnswers(dump) }

  /// Those whose machine was dumped as a whole ELF file, too.
  private static func compared(_ entries: [DumpEntry]) -> [Dump] {
    entries.filter { $0.wholeELF != nil }.flatMap(\.otherDumps)
  }
  private static let split = DumpEntry.corpus.first { $0.otherDumps.contains { $0.isPart } }

  @Test("The pages of the ELF dump, on the source's dumps", arguments: compared(DumpEntry.testData))
  func pages(_ dump: Dump) throws { try checkPages(dump) }

  @Test(
    "The MMU's answers, on the corpus", .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"),
    arguments: DumpEntry.corpus.flatMap(\.otherDumps))
  func mmuOfCorpus(_ dump: Dump) throws { try checkAnswers(dump) }

  @Test(
    "The pages of the ELF dump, on the corpus",
    .enabled(if: Checkout.corpus != nil, "no corpus here: set KVA_CORPUS"),
    arguments: compared(DumpEntry.corpus))
  func pagesOfCorpus(_ dump: Dump) throws { try checkPages(dump) }

  @Test("There are dumps of two codecs and page sizes")
  func entries() {
    let names = DumpEntry.testData.flatMap(\.otherDumps).map(\.description)
    #expect(
      names == [
        "c61-4k48-nokaslr/vmcore.d31-snappy", "c612-64k52/vmcore.d31-zstd", "kdump-61-4k48/vmcore.d31-zlib",
      ])
  }

  @Test(
    "A real split dump with a part left out", .enabled(if: split != nil, "no split dump here: set KVA_CORPUS"))
  func missingPart() throws {
    let entry = try #require(Self.split)
    let parts = try entry.otherDumps.filter(\.isPart).map { try $0.path() }
    let whole = try DumpFile(path: parts.joined(separator: ","))
    let partial = try DumpFile(path: [parts[0], parts[2]].joined(separator: ","))
    #expect(whole.warnings.isEmpty)
    #expect(partial.warnings.count == 1)
    let frames = try frames(parts[1])
    let range = [frames.lowerBound, frames.upperBound].map { "0x" + String($0 << 12, radix: 16) }.joined(separator: "-")
    var missing = 0
    for frame in stride(from: frames.lowerBound, to: frames.upperBound, by: 61) {
      let address = PhysicalAddress(frame << 12)
      guard whole.memory.absence(at: address) == nil else { continue }
      missing += 1
      #expect(partial.memory.absence(at: address) == .inMissingPart)
      let text = partial.describe(MemoryFault(.inMissingPart, at: address))
      #expect(text.contains(range))
    }
    #expect(missing > 10)
    for frame in [frames.lowerBound - 1, frames.upperBound] {
      #expect(partial.memory.absence(at: PhysicalAddress(frame << 12)) != .inMissingPart)
    }
  }

  /// The frames of the part at `path`: start_pfn_64 and end_pfn_64 of its sub-header.
  private func frames(_ path: String) throws -> Range<UInt64> {
    let file = try Data(contentsOf: URL(fileURLWithPath: path))
    func word(_ offset: Int) -> UInt64 { file[offset..<(offset + 8)].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    return word(4096 + 80)..<word(4096 + 88)
  }
}

/// Every seventh kernel address is answered as the MMU did, wherever its page went.
private func checkAnswers(_ dump: Dump) throws {
  let kernel = try Kernel(in: DumpFile(path: dump.path()))
  let all = try dump.entry.mmu().kernelSamples
  let samples = stride(from: 0, to: all.count, by: 7).map { all[$0] }
  #expect(samples.count { $0.physical != nil } > 300)
  let differences = samples.filter { sample in
    let answer = kernel.resolve(VirtualAddress(sample.virtual))
    if let physical = sample.physical { return answer.physical?.rawValue != physical }
    return answer.status != .unmapped && answer.status != .notCanonical
      && !(answer.status == .noTables && sample.virtual >> 55 & 1 == 0)
  }
  let drift = dump.entry.isNotedEarlier ? samples.count / 100 : 0
  #expect(differences.count <= drift, "\(differences.count) of \(samples.count): \(differences.prefix(5))")
  // The notes came along too.
  let facts = try dump.entry.facts()
  #expect(kernel.dump.notes.cpus.count == facts.notes.count { $0 == "CORE/0x1" })
  #expect(kernel.facts.release?.value == facts.release)
}

/// Every seventh page of the ELF dump of the same machine is the same here, or was left out and says so.
private func checkPages(_ dump: Dump) throws {
  let elf = try #require(dump.entry.wholeELF)
  let reader = try CoreReader(path: elf.path())
  let file = try DumpFile(path: dump.path())
  let isFiltered = dump.file.contains("d31")
  let size = Int(try dump.entry.facts().pageSize)
  var kept = 0
  var filtered = 0
  var wrong: [String] = []
  for segment in reader.segments {
    for address in stride(from: segment.physical, to: segment.physical + segment.memorySize, by: size * 7) {
      let bytes = try? file.memory.bytes(at: PhysicalAddress(address), count: size)
      let absence = file.memory.absence(at: PhysicalAddress(address))
      if let bytes {
        // makedumpfile's ELF has no room for what was left out.
        guard let expected = try reader.bytes(address, size) else { continue }
        kept += 1
        if bytes != expected || absence != nil { wrong.append("0x" + String(address, radix: 16)) }
      } else {
        filtered += 1
        if absence != .filtered { wrong.append("0x\(String(address, radix: 16)): \(String(describing: absence))") }
        guard filtered % 100 == 1 else { continue }
        let text = file.describe(MemoryFault(.filtered, at: PhysicalAddress(address)))
        if !text.contains("(dump level 31)") { wrong.append(text) }
      }
    }
  }
  #expect(wrong.isEmpty, "\(wrong.count): \(wrong.prefix(5))")
  #expect(kept > 100)
  #expect(isFiltered ? filtered > 100 : filtered == 0, "\(filtered)")
}

extension DumpEntry {
  /// Its ELF dump of all memory; nil where it has none.
  fileprivate var wholeELF: Dump? { elfDumps.first { !$0.isTablesOnly } }

  /// The dumps in it that are not ELF, or not as a file by itself.
  fileprivate var otherDumps: [Dump] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasPrefix("vmcore.") && !$0.contains("elf") }.sorted().map { dump($0) }
  }
}

extension Dump {
  /// Whether it is one of the files of a split dump.
  fileprivate var isPart: Bool { file.contains("split") }
}
