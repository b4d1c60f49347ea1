import CrashDump
import Foundation
import TestSupport
import Testing

/// PT_NOTE segments: VMCOREINFO and the registers of the CPUs.
@Suite struct NoteTests {
  static let text = "OSRELEASE=6.1.0\nPAGESIZE=4096\n"

  /// One CPU whose registers are all told apart by `number`.
  private static func cpu(_ number: UInt32) -> [UInt8] {
    CoreWriter.prstatus(pid: number, registers: (0..<34).map { UInt64(number) << 32 | $0 })
  }

  /// The dump with these PT_NOTE segments.
  private func withNotes(_ segments: [CoreWriter.Notes], _ body: (DumpFile) throws -> Void) throws {
    var core = CoreWriter()
    core.notes = segments
    core.segments = [.init(0x1000, [1])]
    try withDump(core, body)
  }

  /// That the dump has these CPUs and the text.
  private func expect(_ dump: DumpFile, cpus: [Int32], _ text: String? = text) {
    #expect(dump.notes.cpus.map(\.pid) == cpus)
    #expect(dump.notes.cpus.map(\.index) == Array(cpus.indices))
    for cpu in dump.notes.cpus {
      let base = UInt64(UInt32(bitPattern: cpu.pid)) << 32
      #expect(cpu.general == (0..<31).map { base | $0 })
      #expect([cpu.sp, cpu.pc, cpu.pstate] == [base | 31, base | 32, base | 33])
    }
    #expect(dump.notes.vmcoreinfo.map { String(decoding: $0, as: UTF8.self) } == text)
  }

  @Test("Registers and VMCOREINFO in one segment, other notes in between")
  func one() throws {
    let notes =
      Self.cpu(1) + CoreWriter.note("CORE", 2, .zeros(528)) + CoreWriter.note("LINUX", 0x405, .zeros(592))
      + Self.cpu(2) + CoreWriter.note("QEMU", 0, .zeros(13)) + CoreWriter.vmcoreinfo(Self.text)
    try withNotes([.init(notes)]) { expect($0, cpus: [1, 2]) }
  }

  @Test("Dumps of devices are named, however long, and do not hide what stands behind them")
  func deviceDumps() throws {
    func device(_ name: String, _ count: Int) -> [UInt8] {
      // struct vmcoredd_header: the name of the note has eight bytes.
      let text = Array(name.utf8) + .zeros(44 - name.utf8.count)
      return [UInt8](little: UInt32(8)) + [UInt8](little: UInt32(44 + count)) + [UInt8](little: UInt32(0x700))
        + Array("LINUX\0\0\0".utf8) + text + .zeros(count + (4 - count % 4) % 4)
    }
    let notes = device("cxgb4_0000:01:00.4", 100 << 20) + device("nic", 5) + Self.cpu(4)
    try withNotes([.init(notes + CoreWriter.vmcoreinfo(Self.text))]) { dump in
      expect(dump, cpus: [4])
      #expect(dump.notes.deviceDumps.map(\.name) == ["cxgb4_0000:01:00.4", "nic"])
      #expect(dump.notes.deviceDumps.map(\.byteCount) == [100 << 20, 5])
    }
    // One that claims more than there is ends the segment.
    let lying = Array(device("nic", 5).prefix(4)) + [UInt8](little: UInt32.max) + Array(device("nic", 5).dropFirst(8))
    try withNotes([.init(lying + CoreWriter.vmcoreinfo(Self.text))]) { dump in
      #expect(dump.notes.vmcoreinfo == nil)
    }
  }

  @Test("A segment for each note, in any order")
  func several() throws {
    try withNotes([
      .init(CoreWriter.vmcoreinfo(Self.text)), .init(Self.cpu(7)), .init([]), .init(Self.cpu(5)),
    ]) {
      expect($0, cpus: [7, 5])
    }
  }

  @Test("Names and texts of every length are padded", arguments: 0..<9)
  func padding(_ length: Int) throws {
    let odd = CoreWriter.note(String(repeating: "x", count: length + 1), 1, .zeros(length))
    let text = Self.text + String(repeating: "#", count: length)
    try withNotes([.init(odd + CoreWriter.vmcoreinfo(text) + odd + Self.cpu(3))]) {
      expect($0, cpus: [3], text)
    }
  }

  @Test(
    "Notes of CPUs that did not stop are zeros: what comes after them counts",
    arguments: [4, 12, 16, 400, 424, 848])
  func zeros(_ count: Int) throws {
    // The kernel reserves 424 bytes for a CPU (crash_notes), which are zero until it stops.
    let notes = Self.cpu(1) + .zeros(count) + Self.cpu(2) + .zeros(count) + CoreWriter.vmcoreinfo(Self.text)
    try withNotes([.init(notes)]) { expect($0, cpus: [1, 2]) }
    try withNotes([
      .init(.zeros(count)), .init(.zeros(count) + Self.cpu(4)), .init(CoreWriter.vmcoreinfo(Self.text)),
    ]) {
      expect($0, cpus: [4])
    }
  }

  @Test("A PRSTATUS too short for the registers is no CPU; a longer one is")
  func sizes() throws {
    let short = CoreWriter.note("CORE", 1, .zeros(112 + 33 * 8))
    let long = CoreWriter.note("CORE", 1, Array(Self.cpu(6)[20...]) + .zeros(40))
    try withNotes([.init(short + long + CoreWriter.vmcoreinfo(Self.text))]) { expect($0, cpus: [6]) }
  }

  @Test("A note that claims more than there is ends its segment, not the others")
  func lies() throws {
    let liar: [UInt8] = [5, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0x43, 0x4f, 0x52, 0x45, 0, 0, 0, 0]
    try withNotes([.init(Self.cpu(1) + liar + Self.cpu(2)), .init(CoreWriter.vmcoreinfo(Self.text))]) {
      expect($0, cpus: [1])
    }
    try withNotes([.init(CoreWriter.vmcoreinfo(Self.text)), .init(Self.cpu(9), fileSize: 1 << 60)]) {
      expect($0, cpus: [9])
    }
  }

  @Test("No notes at all")
  func none() throws {
    try withNotes([]) { expect($0, cpus: [], nil) }
    try withNotes([.init([])]) { expect($0, cpus: [], nil) }
    try withNotes([.init([1, 2, 3])]) { expect($0, cpus: [], nil) }
  }
}
