import Bytes
import CrashDump
import Foundation
import TestSupport
import Testing

/// What a file may claim or hold at most, and what becomes of more.
@Suite struct LimitTests {
  @Test("A split dump in more than 1,024 parts")
  func parts() throws {
    try withFiles(["vmcore": [0]]) { folder in
      var writer = KdumpWriter(frameCount: 20)
      writer.part = 0..<12
      try Data(writer.bytes()).write(to: URL(fileURLWithPath: folder + "/part"))
      func error(_ count: Int) -> LocatedError? {
        openingError(path: [String](repeating: folder + "/part", count: count).joined(separator: ","))
      }
      #expect(error(1024)?.message.contains("the same pages") == true)
      #expect(error(1025)?.message.contains("too many parts") == true)
    }
  }

  @Test("More notes than machines have: those behind are not looked at", arguments: [0, 1])
  func notes(_ excess: Int) throws {
    var core = HandmadeKernel().core
    // A name of one letter, no descriptor.
    let note = [UInt8](little: UInt32(2)) + [UInt8](little: UInt32(0)) + [UInt8](little: UInt32(77)) + [0x78, 0, 0, 0]
    let others = [[UInt8]](repeating: note, count: 1 << 17 - 1 + excess).flatMap { $0 }
    core.notes = [.init(others + CoreWriter.vmcoreinfo("OSRELEASE=6.1\n"))]
    try withDump(core.bytes()) { dump in #expect((dump.notes.vmcoreinfo == nil) == (excess > 0)) }
  }

  @Test("More program headers than a core can need")
  func programHeaders() throws {
    var core = HandmadeKernel().core
    core.usesExtendedCount = true
    core.extendedCount = 1 << 20 + 1
    let error = try #require(try openingError(core.bytes()))
    #expect(error.kind == .malformed, "\(error)")
  }
}
