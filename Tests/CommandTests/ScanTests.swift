import Foundation
import TestSupport
import Testing

/// Dumps without VMCOREINFO are looked through: what is in them is looked at once, what is not in them is not.
@Suite struct ScanTests {
  /// Each of these would take minutes if what the file claims were looked at.
  private static let limit = 60.0

  @Test("A sparse copy with a hole of 4 TiB is answered as the file is")
  func holes() throws {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    var core = try SilencedCore(path: entry.path("vmcore.elf"))
    core.hideNote()
    core.eraseVMCoreInfo()
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try core.writeSparse(to: path, growth: 4 << 40)
      let samples = try entry.mmu().kernelSamples
      let answers = try Kva.run(
        ["resolve", path, "--json"], input: samples.map { hex($0.virtual) + "\n" }.joined(), limit: Self.limit
      ).objects()
      try #require(answers.count == samples.count)
      for (sample, answer) in zip(samples, answers) {
        let physical = answer["status"] as? String == "mapped" ? answer["physical"] as? String : nil
        #expect(physical == sample.physical.map(hex), "\(hex(sample.virtual))")
      }
    }
  }

  @Test("Forty thousand segments over the same bytes")
  func overlaps() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      var core = CoreWriter()
      core.usesExtendedCount = true
      let size: UInt64 = 64 << 20
      core.segments = (0..<40_000).map {
        CoreWriter.Segment(UInt64($0) * size, offset: 16 << 20, fileSize: size, memorySize: size)
      }
      try core.write(to: path, size: (16 << 20) + size)
      // Not one hole, so that the bytes must be looked at.
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      for start in stride(from: UInt64(16 << 20), to: (16 << 20) + size, by: 4096) {
        try handle.seek(toOffset: start)
        try handle.write(contentsOf: [1])
      }
      try handle.close()
      let result = try Kva.run(["resolve", path, "0xffff800008000000"], limit: Self.limit)
      #expect(result.status == 2)
      #expect(result.standardError.contains("no root table was found"), "\(result.standardError)")
    }
  }

  @Test("A scan that takes long shows how far it is, never less than before, and takes the line away")
  func progress() throws {
    try Scratch.withFolder { folder in
      let file = folder.appendingPathComponent("ram")
      let path = file.path + "@0"
      // No page is zero, so that each is looked at: a build without optimization takes seconds for that.
      try Data((0..<(40 << 10)).flatMap { [1, UInt8(truncatingIfNeeded: $0)] + [UInt8].zeros(4094) }).write(to: file)
      let terminal = try KvaTerminal(["resolve", path, "0xffff800008000000"])
      let text = try terminal.wait(for: "no root table was found", limit: Self.limit)
      #expect(try terminal.finish(limit: Self.limit) == 2)
      let lines = text.matches(of: /\rkva: searching memory for the kernel: (\d+) %/)
      let shown = lines.compactMap { Int($0.1) }
      #if DEBUG
        #expect(shown.count > 1, "\(text)")
      #endif
      #expect(shown == Set(shown).sorted() && shown.allSatisfy { (1...100).contains($0) })
      // Nothing of it is left before what is said.
      if let last = lines.last { #expect(text[last.range.upperBound...].hasPrefix("\r\u{1b}[K"), "\(text)") }
      // Where standard error is no terminal, there is none.
      #expect(!(try Kva.run(["resolve", path, "0xffff800008000000"], limit: Self.limit)).standardError.contains("%"))
    }
  }

  @Test("Segments over a part of a flattened file that no record wrote")
  func gaps() throws {
    let file = Checkout.testData.appendingPathComponent("fuzz/flattened/segments-over-a-gap").path
    let result = try Kva.run(["resolve", file, "0xffff800008000000"], limit: Self.limit)
    #expect(result.status == 2 || result.status == 1)
    #expect(result.output.isEmpty || result.status == 1)
    #expect(!result.errorLines.isEmpty)
  }
}
