import Foundation
import TestSupport
import Testing

/// `kva report`: all that sorting dumps needs, of whatever dump.
@Suite struct ReportTests {
  @Test("A kernel that was told to crash: the reason, the way through the kernel, and what is in it")
  func sysrq() throws {
    let entry = try DumpEntry.named("kdump-61-4k48")
    let path = try entry.path("vmcore.d31-zlib")
    let result = try Kva.run(["report", path, "--json"])
    #expect(result.status == 0)
    let report = try result.object()
    let facts = try entry.vmcoreinfo()
    #expect(report["release"] as? String == facts["OSRELEASE"])
    #expect(report["buildID"] as? String == facts["BUILD-ID"])
    #expect(report["error"] is NSNull)
    #expect(report["dump"] as? String == path)
    #expect(report["signature"] as? String == "sysrq: sysrq triggered crash in sysrq_handle_crash")
    let crash = try #require(report["crash"] as? [String: Any])
    #expect(crash["text"] as? String == "Kernel panic - not syncing: sysrq triggered crash")
    #expect(crash["panic"] as? String == "sysrq triggered crash")
    #expect(crash["traceSource"] as? String == "registers")
    // A write to /proc/sysrq-trigger (drivers/tty/sysrq.c, fs/proc/inode.c, fs/read_write.c).
    let trace = (crash["trace"] as? [String] ?? []).map { String($0.prefix { $0 != "+" }) }
    let way = [
      "__crash_kexec", "panic", "sysrq_handle_crash", "__handle_sysrq", "write_sysrq_trigger", "proc_reg_write",
      "vfs_write", "ksys_write", "__arm64_sys_write",
    ]
    #expect(Array(trace.prefix(way.count)) == way)
    let modules = try entry.lines("oracle/modules.txt").count
    #expect((report["counts"] as? [String: Any])?["modules"] as? Int == modules)
    #expect((report["log"] as? [[String: Any]])?.last?["text"] as? String == "Bye!")
    #expect((report["taint"] as? [String: Any])?["letters"] as? String == "")
    #expect(report["notes"] as? [String] == [])
    let text = try Kva.run(["report", path])
    #expect(text.status == 0)
    for words in ["signature   sysrq: sysrq triggered crash in sysrq_handle_crash", "write_sysrq_trigger+", "] Bye!"] {
      #expect(text.text.contains(words))
    }
  }

  @Test("A dump of a running machine has no reason, and one of tables alone says what it lacks")
  func lacking() throws {
    let running = try Kva.run(["report", DumpEntry.named("c612-64k52").path("vmcore.elf"), "--json"]).object()
    #expect(running["signature"] is NSNull)
    #expect(running["crash"] is NSNull)
    #expect((running["log"] as? [Any])?.count == 20)
    let tables = try Kva.run(["report", DumpEntry.named("deb612-16k").path("vmcore.tables.elf"), "--json"])
    #expect(tables.status == 0)
    let report = try tables.object()
    #expect(report["log"] is NSNull)
    let counts = try #require(report["counts"] as? [String: Any])
    for name in ["modules", "tasks", "taskStates", "vmallocAreas"] { #expect(counts[name] is NSNull, "\(name)") }
    let notes = try #require(report["notes"] as? [String])
    for part in ["log: ", "taint: ", "modules: ", "tasks: ", "vmalloc: "] {
      #expect(notes.contains { $0.hasPrefix(part) }, "\(part)")
    }
    #expect((report["audit"] as? [String: Any])?["findings"] as? Int == 0)
  }

  @Test("Findings are counted and the first shown")
  func findings() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      var kernel = AuditedKernel()
      kernel.change(AuditedKernel.vmalloc) { $0 & ~(1 << 53) }
      try kernel.write(to: path)
      let report = try Kva.run(["report", path, "--json"]).object()
      let audit = try #require(report["audit"] as? [String: Any])
      #expect(audit["findings"] as? Int == 1)
      #expect(audit["codes"] as? [String: Int] == ["writable-executable": 1])
      let first = try #require((audit["first"] as? [[String: Any]])?.first)
      #expect(first["start"] as? String == "0x" + String(AuditedKernel.vmalloc, radix: 16))
    }
  }

  @Test("Of what is no dump there is a report of the error, and standard error and the status say the same")
  func noDump() throws {
    let missing = try Kva.run(["report", "/nonexistent/vmcore", "--json"])
    #expect(missing.status == 2)
    let error = try #require(try missing.object()["error"] as? [String: Any])
    #expect(error["kind"] as? String == "system")
    let message = try #require(error["message"] as? String)
    #expect(missing.errorLines == ["kva: /nonexistent/vmcore: \(message)"])
    let text = try Kva.run(["report", "/nonexistent/vmcore"])
    #expect(text.status == 2)
    #expect(text.text.contains(message))
  }

  @Test("A dump without a kernel has the same status alone and in a batch")
  func noKernel() throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      var core = CoreWriter()
      core.segments.append(.init(0x4000_0000, .zeros(1 << 20)))
      try core.write(to: path)
      #expect(try Kva.run(["report", path, "--json"]).status == 1)
      let answer = try Kva.run(["batch", path], input: #"{"id":1,"command":"report"}"# + "\n").object()
      #expect(answer["status"] as? Int == 1)
    }
  }

  private static let overflow = DumpEntry.corpus.first { $0.name == "oops-612-stack-overflow" }

  @Test("A death without a trace in the log is named by where the stack shows it", .enabled(if: overflow != nil))
  func withoutTrace() throws {
    let path = try #require(Self.overflow?.elfDumps.first).path()
    let report = try Kva.run(["report", path, "--json"]).object()
    // The console says pc : recursive_loop+0x1c/0xa8.
    #expect(report["signature"] as? String == "panic: kernel stack overflow in recursive_loop")
    let crash = try #require(report["crash"] as? [String: Any])
    #expect(crash["at"] as? String == "recursive_loop+0x1c/0xa8")
    #expect(crash["traceSource"] as? String == "registers")
    let stacks = try #require(report["stacks"] as? [[String: Any]])
    #expect(stacks.count { $0["running"] as? Bool == true } == 2)
    let blocked = stacks.filter { $0["running"] as? Bool == false }
    // /proc/PID/stat has these two in state D.
    #expect(blocked.allSatisfy { $0["state"] as? String == "D" })
    #expect(Set(blocked.compactMap { $0["comm"] as? String }) == ["kvatest_waiter", "act-vfork"])
    let all = try Kva.run(["stack", path, "--state", "D", "--json"]).objects()
    #expect(Set(all.compactMap { $0["hash"] as? String }) == Set(blocked.compactMap { $0["hash"] as? String }))
  }
}
