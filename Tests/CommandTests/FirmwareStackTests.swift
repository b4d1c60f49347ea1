import Foundation
import TestSupport
import Testing

/// A CPU that an event of the firmware interrupted, and one that runs the firmware: an idle CPU's registers are changed
/// so, and another task's stack serves for the firmware's. What was interrupted is drgn's unwinding of that CPU.
@Suite struct FirmwareStackTests {
  private static let entry = DumpEntry.inCorpus("deb73-4k52-rich")

  /// A copy of the dump, and what is there.
  private final class Patient {
    let path: String
    let stack: UInt64
    /// The functions from the first frame record on: the two above are a leaf, and x30's.
    let callers: [String]
    let oldFP: UInt64
    let oldPC: UInt64
    let kallsyms: [String: UInt64]
    private let original: String
    private let file: FileHandle
    private let reader: CoreReader
    /// Where the note of CPU 0 has x0.
    private let registers: UInt64

    init(_ entry: DumpEntry, _ path: String) throws {
      self.path = path
      original = try entry.path("vmcore.elf")
      try FileManager.default.copyItem(atPath: original, toPath: path)
      file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
      reader = try CoreReader(path: original)
      kallsyms = try entry.kallsyms()
      let oracle = try #require(
        JSONSerialization.jsonObject(with: entry.data("oracle/rich/drgn.json")) as? [String: Any])
      let tasks = try #require(oracle["tasks"] as? [[String: Any]])
      stack = try parseAddress(#require(tasks.first { $0["pid"] as? Int == 2 }?["stack"] as? String))
      let idle = try #require(tasks.first { $0["comm"] as? String == "swapper/0" }?["trace"] as? [[String: Any]])
      callers = idle.dropFirst(2).compactMap { $0["symbol"] as? String }
      // struct elf_prstatus, behind the name "CORE": pr_reg at 112.
      let head = try #require(try file.read(upToCount: 1 << 16))
      let name = try #require(head.range(of: Data("CORE\0\0\0\0".utf8)))
      registers = UInt64(name.upperBound + 112)
      func register(_ number: Int) -> UInt64 {
        (0..<8).reversed().reduce(0) { $0 << 8 | UInt64(head[name.upperBound + 112 + number * 8 + $1]) }
      }
      oldFP = register(29)
      oldPC = register(32)
      #expect(try oldPC == parseAddress(#require(idle[0]["pc"] as? String)))
    }

    func set(_ value: UInt64, register number: Int) throws {
      try write(value, registers + UInt64(number) * 8)
    }

    func set(_ value: UInt64, at query: String) throws {
      let answer = try Kva.run(["resolve", original, query, "--json"]).object()
      let physical = try parseAddress(#require(answer["physical"] as? String))
      try write(value, #require(reader.offset(physical, 8)))
    }

    func set(_ value: UInt64, at address: UInt64) throws { try set(value, at: "0x" + String(address, radix: 16)) }

    private func write(_ value: UInt64, _ offset: UInt64) throws {
      try file.seek(toOffset: offset)
      try file.write(contentsOf: withUnsafeBytes(of: value.littleEndian) { Data($0) })
    }

    /// The frames of CPU 0: symbol, kind, pc.
    func frames() throws -> [(symbol: String?, kind: String?, pc: UInt64)] {
      let answer = try Kva.run(["stack", path, "cpu0", "--json"]).object()
      #expect(answer["end"] as? String == "final")
      return try #require(answer["frames"] as? [[String: Any]]).map {
        ($0["symbol"] as? String, $0["kind"] as? String, try parseAddress(#require($0["pc"] as? String)))
      }
    }
  }

  @Test("From an SDEI handler back to what the event interrupted", .enabled(if: entry != nil))
  func sdei() throws {
    let entry = try #require(Self.entry)
    try Scratch.withFolder { folder in
      let patient = try Patient(entry, folder.appendingPathComponent("vmcore").path)
      let handler = try #require(patient.kallsyms["__sdei_asm_handler"])
      let facts = try entry.facts()
      let reader = try CoreReader(path: patient.path)
      // Behind its first call, of __sdei_handler.
      let call = try #require(
        try stride(from: handler, to: handler + 0x200, by: 4).first { address in
          let word = try reader.word((address &- facts.kimageVoffset) & ~7) ?? 0
          return (address & 4 == 0 ? word : word >> 32) >> 26 & 0x3f == 0b100101
        })
      let pc = try #require(patient.kallsyms["panic"]) + 8
      try patient.set(patient.stack, at: "sdei_stack_normal_ptr@cpu0")
      try patient.set(patient.stack + 0x3ff0, at: patient.stack + 0x3000)
      try patient.set(call + 4, at: patient.stack + 0x3008)
      try patient.set(patient.oldFP, at: patient.stack + 0x3ff0)
      try patient.set(patient.oldPC, at: patient.stack + 0x3ff8)
      for (number, value) in [(29, patient.stack + 0x3000), (30, 0), (31, patient.stack + 0x2f00), (32, pc)]
        as [(Int, UInt64)]
      {
        try patient.set(value, register: number)
      }
      let frames = try patient.frames()
      #expect(frames.map(\.symbol) == ["panic", "__sdei_asm_handler", "cpu_do_idle"] + patient.callers)
      #expect(frames.prefix(3).map(\.kind) == ["interrupted", "call", "interrupted"])
      #expect(frames[2].pc == patient.oldPC)
      let place = try Kva.run(["identify", patient.path, "0x" + String(patient.stack + 0x3010, radix: 16), "--json"])
        .object()
      #expect((place["stack"] as? [String: Any])?["pid"] as? Int == 2, "its own task comes first")
      // Where another exception level was interrupted, there are zeros, and no more.
      try patient.set(0, at: patient.stack + 0x3ff0)
      try patient.set(0, at: patient.stack + 0x3ff8)
      #expect(try patient.frames().map(\.symbol) == ["panic", "__sdei_asm_handler"])
    }
  }

  @Test("From the firmware back to the kernel that called it", .enabled(if: entry != nil))
  func efi() throws {
    let entry = try #require(Self.entry)
    try Scratch.withFolder { folder in
      let patient = try Patient(entry, folder.appendingPathComponent("vmcore").path)
      try patient.set(patient.stack + 0x4000, at: "efi_rt_stack_top")
      try patient.set(patient.oldFP, at: patient.stack + 0x3ff8)
      for (number, value) in [(29, 0x1234_5678), (30, 0x2000_1000), (31, patient.stack + 0x3f00), (32, 0x2000_1234)]
        as [(Int, UInt64)]
      {
        try patient.set(value, register: number)
      }
      let frames = try patient.frames()
      #expect(frames.map(\.symbol) == [nil] + patient.callers)
      #expect(frames[0].pc == 0x2000_1234)
    }
  }
}
