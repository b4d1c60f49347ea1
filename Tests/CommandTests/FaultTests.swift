import Foundation
import TestSupport
import Testing

/// What the processor reported, against the console's own text and the architecture's tables.
@Suite struct FaultTests {
  /// ESR_EL1 by the Arm ARM's encodings, made by hand: class, status, level, write, what it is.
  @Test(
    "ESR in words",
    arguments: [
      ("0x96000004", 4, 0, false, "paging-request"), ("0x96000047", 7, 3, true, "paging-request"),
      ("0x9600004f", 15, 3, true, "write-read-only"), ("0x8600000f", 15, 3, false, "execute-non-executable"),
      ("0x9600006b", 0x2b, -1, true, "paging-request"), ("0x96000021", 0x21, nil, false, "alignment"),
      ("0x96000011", 0x11, nil, false, "tag-check"),
    ] as [(String, Int, Int?, Bool, String)])
  func syndrome(_ esr: String, status: Int, level: Int?, isWrite: Bool, kind: String) throws {
    let fault = try Kva.run(["fault", "--esr", esr, "--far", "0xffff800080787e10", "--json"]).object()
    #expect(fault["faultStatus"] as? Int == status)
    #expect(fault["level"] as? Int == level)
    #expect(fault["write"] as? Bool == isWrite)
    #expect(fault["kind"] as? String == kind)
  }

  @Test(
    "What is no abort has no status",
    arguments: [
      ("0xf2000800", "bug"), ("0xf2008220", "cfi"), ("0xf2005512", "ubsan"), ("0xf2000934", "kasan"),
      ("0xbe000011", "serror"), ("0x02000000", "undefined-instruction"), ("0x34000001", "branch-target"),
      ("0x72000000", "pointer-authentication"), ("0x8a000000", "alignment"),
    ])
  func others(_ esr: String, kind: String) throws {
    let fault = try Kva.run(["fault", "--esr", esr, "--json"]).object()
    #expect(fault["kind"] as? String == kind)
    for name in ["faultStatus", "status", "level", "write"] { #expect(fault[name] is NSNull) }
  }

  @Test("A small address is a NULL pointer; one of user space that may not be accessed is PAN's")
  func addresses() throws {
    func kind(_ esr: String, _ far: String) throws -> String? {
      try Kva.run(["fault", "--esr", esr, "--far", far, "--json"]).object()["kind"] as? String
    }
    #expect(try kind("0x96000004", "0x8") == "null-pointer")
    #expect(try kind("0x96000004", "0x1000") == "paging-request")
    #expect(try kind("0x9600000f", "0xaaaae5f02000") == "access-user")
    #expect(try kind("0x8600000f", "0xaaaae5f02000") == "execute-user")
  }

  @Test("The walk that an oops printed")
  func line() throws {
    let line = "[0000000000000008] pgd=0800000041b1e003, p4d=0800000041b1e003, pud=0000000000000000"
    let fault = try Kva.run(["fault", "--line", line, "--json"]).object()
    #expect(fault["far"] as? String == "0x8")
    let walk = try #require(fault["logWalk"] as? [String: String])
    #expect(walk == ["pgd": "0x800000041b1e003", "p4d": "0x800000041b1e003", "pud": "0x0"])
    let text = try Kva.run(["fault", "--line", line]).text
    #expect(text.contains("pgd 0x800000041b1e003: table"))
    #expect(text.contains("pud 0x0: empty"))
    let wrong = try Kva.run(["fault", "--line", "nothing of the kind"])
    #expect(wrong.status == 64)
  }

  private static let dead = DumpEntry.all.filter { $0.name.hasPrefix("oops-") }.flatMap(\.elfDumps)

  @Test("A death is told as the console told it", .enabled(if: !dead.isEmpty), arguments: dead)
  func console(_ dump: Dump) throws {
    let report = try Kva.run(["report", dump.path(), "--json"]).object()
    let fault = try #require(report["fault"] as? [String: Any])
    let alone = try Kva.run(["fault", dump.path(), "--json"]).object()
    #expect(NSDictionary(dictionary: alone) == NSDictionary(dictionary: fault))
    let console = try dump.entry.lines("oracle/serial.log").joined(separator: "\n")
    func found(_ pattern: String) throws -> String? {
      let expression = try NSRegularExpression(pattern: pattern)
      let match = expression.firstMatch(in: console, range: NSRange(console.startIndex..., in: console))
      return match.flatMap { Range($0.range(at: 1), in: console) }.map { String(console[$0]) }
    }
    let esr = try #require(try found("ESR[ =:]+(0x[0-9a-f]+)"))
    func number(_ value: Any?) throws -> UInt64 { try parseAddress(#require(value as? String)) }
    #expect(try number(fault["esr"]) == parseAddress(esr))
    let printed = try found("virtual address ([0-9a-f]+)") ?? found("FAR: 0x([0-9a-f]+)")
    let far = try #require(printed)
    #expect(try number(fault["far"]) == UInt64(far, radix: 16))
    let registers = try #require(fault["registers"] as? [String: String])
    for name in ["sp", "x29", "x28", "x19"] {
      let value = try #require(try found("\\b\(name) ?: ([0-9a-f]{16})"))
      #expect(try number(registers[name]) == UInt64(value, radix: 16), "\(name)")
    }
    let pc = try #require(fault["pc"] as? [String: Any])
    #expect(try pc["symbol"] as? String == found("pc : ([^+ ]+)"))
    if let walk = fault["logWalk"] as? [String: String] {
      for (name, entry) in walk {
        let printed = try #require(try found("\\b\(name)=([0-9a-f]+)"))
        #expect(try number(entry) == UInt64(printed, radix: 16))
      }
      #expect(fault["agrees"] as? Bool == true)
    }
  }

  @Test("A running machine has no fault")
  func running() throws {
    let result = try Kva.run(["fault", DumpEntry.named("c612-64k52").elfDumps[0].path()])
    #expect(result.status == 1)
    #expect(result.errorLines.count == 1)
  }
}
