import Foundation
import KernelVA
import TestSupport
import Testing

/// What code at an address is called: an interrupted program counter by itself, a return address by the call before it.
struct CodePlaceTests {
  private func kernel() throws -> Kernel {
    try Kernel(in: DumpFile(path: DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")))
  }

  /// Functions of the kernel that follow another one, with it: both alone at their addresses in /proc/kallsyms.
  private func neighbours() throws -> [(before: (String, UInt64), name: String, address: UInt64)] {
    let entry = try DumpEntry.named("c61-4k48-nokaslr")
    var names: [UInt64: [String]] = [:]
    for line in try entry.lines("oracle/kallsyms.txt") {
      let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
      if words.count == 3 { names[try parseAddress(words[0]), default: []].append(words[2]) }
    }
    let kallsyms = try entry.kallsyms()
    let text = try #require(kallsyms["_stext"])..<(try #require(kallsyms["_etext"]))
    let ordered = names.filter { text.contains($0.key) }.sorted { $0.key < $1.key }
    return zip(ordered, ordered.dropFirst()).filter {
      $0.value.count == 1 && $1.value.count == 1 && !$0.value[0].contains(".") && $1.key - $0.key < 0x1000
        && kallsyms[$1.value[0]] == $1.key
    }.map { (($0.value[0], $0.key), $1.value[0], $1.key) }
  }

  @Test("A return address behind the last instruction of a function is of that function")
  func places() throws {
    let kernel = try kernel()
    let all = try neighbours()
    try #require(all.count > 1000)
    for (before, name, address) in stride(from: 0, to: all.count, by: 40).map({ all[$0] }) {
      let size = "0x" + String(address - before.1, radix: 16)
      #expect(kernel.text(of: CodePlace(address, isReturn: true)) == "\(before.0)+\(size)/\(size)")
      #expect(kernel.text(of: CodePlace(address, isReturn: false)).hasPrefix("\(name)+0x0/"))
      #expect(kernel.text(of: CodePlace(address + 4, isReturn: true)).hasPrefix("\(name)+0x4/"))
    }
  }

  @Test("A signature follows the rule, and the trace stays as the console printed it")
  func signatures() throws {
    let kernel = try kernel()
    let (before, name, _) = try #require(
      try neighbours().first { !$0.name.hasPrefix("el") && !$0.before.0.hasPrefix("el") })
    func check(_ lines: [String], _ function: String, _ trace: [String]? = nil) throws {
      let reason = try #require(
        CrashReason(
          (["Kernel panic - not syncing: test"] + lines).enumerated().map {
            LogRecord(sequence: UInt64($0), timestamp: 0, caller: nil, text: $1)
          }))
      #expect(kernel.signature(reason) == "panic: test in \(function)", "\(lines)")
      if let trace { #expect(reason.trace == trace) }
    }
    let place = "\(name)+0x0/0x40"
    // The trace begins in the unwinder: what follows are return addresses.
    try check(
      ["Call trace:", " dump_backtrace+0x0/0x1a0", " panic+0x180/0x3a0", " \(place)"], before.0,
      ["dump_backtrace+0x0/0x1a0", "panic+0x180/0x3a0", place])
    try check(["Call trace:", " panic+0x180/0x3a0", " \(name)+0x4/0x40"], name)
    // The program counter of an exception, told by itself, by what stands before it, or by its mark.
    try check(["pc : \(place)", "Call trace:", " \(place)", " schedule+0x40/0x80"], name)
    try check(["pc : \(place)", "Call trace:", " panic+0x180/0x3a0"], name)
    try check(["Call trace:", " panic+0x180/0x3a0", " el1h_64_irq+0x64/0x68", " \(place)"], name)
    try check(["Call trace:", " panic+0x180/0x3a0 (C)", " \(place) (P)"], name)
    // A name that the kernel does not have stays.
    try check(["Call trace:", " panic+0x180/0x3a0", " nosuch_function+0x0/0x10"], "nosuch_function")
  }

  /// As GNU as assembles them: bl ., blr x16, brk #4 and brk #0x400 over a call, ret x10.
  @Test(
    "The record of an exception has the interrupted program counter, the others return addresses",
    arguments: [0x9400_0000, 0xd63f_0200, 0xd420_0080, 0xd420_8000, 0xd65f_0140] as [UInt64])
  func exceptionRecord(_ call: UInt64) throws {
    var kernel = AuditedKernel()
    // In the page of vmalloc: a record, the registers of an exception with theirs, and the last record.
    let page: (virtual: UInt64, physical: UInt64) = (AuditedKernel.vmalloc, 0x4020_0000)
    let text = AuditedKernel.text
    func record(_ offset: UInt64, _ next: UInt64, _ address: UInt64) {
      kernel.memory[page.physical + offset] = next
      kernel.memory[page.physical + offset + 8] = address
    }
    // Before what calls return to, and none before where the exception was.
    for offset in [0x100, 0x300] as [UInt64] { kernel.memory[AuditedKernel.ram + offset - 8] = call << 32 }
    let (registers, record2) = (UInt64(0x200), page.virtual + 0x400)
    record(0x100, page.virtual + registers + 304, text + 0x100)
    record(registers + 304, record2, text + 0x200)
    kernel.memory[page.physical + registers + 29 * 8] = record2
    kernel.memory[page.physical + registers + 248] = page.virtual + registers + 336
    kernel.memory[page.physical + registers + 256] = text + 0x200
    record(0x400, 0, text + 0x300)
    kernel.registers = (0..<29).map { _ in 0 } + [page.virtual + 0x100, 0, page.virtual + 0x100, text + 0x40, 5]
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let opened = try Kernel(in: DumpFile(path: path))
      let places = opened.backtrace(try #require(opened.dump.notes.cpus.first))
      #expect(
        places == [
          CodePlace(text + 0x40, isReturn: false), CodePlace(text + 0x100, isReturn: true),
          CodePlace(text + 0x200, isReturn: false), CodePlace(text + 0x300, isReturn: true),
        ])
    }
  }

  @Test("What no call is before is not returned to", arguments: [0xd65f_03c0, 0xd503_201f, 0, 0xd421_0000] as [UInt64])
  func noCall(_ word: UInt64) throws {
    var kernel = AuditedKernel()
    kernel.memory[0x4020_0100] = AuditedKernel.vmalloc + 0x200
    kernel.memory[0x4020_0108] = AuditedKernel.text + 0x100
    kernel.memory[AuditedKernel.ram + 0xf8] = word << 32
    kernel.registers =
      (0..<29).map { _ in 0 } + [
        AuditedKernel.vmalloc + 0x100, 0, AuditedKernel.vmalloc + 0x100, AuditedKernel.text + 0x40, 5,
      ]
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      let opened = try Kernel(in: DumpFile(path: path))
      let places = opened.backtrace(try #require(opened.dump.notes.cpus.first))
      #expect(places == [CodePlace(AuditedKernel.text + 0x40, isReturn: false)])
    }
  }
}
