import Foundation
import TestSupport
import Testing

/// What `identify` makes of the image's data, against /proc/kallsyms.
@Suite struct IdentifyTests {
  @Test(
    "The stack of init_task is THREAD_SIZE long, and what follows it is data",
    arguments: zip(["c61-4k48-nokaslr", "c612-64k52"], [UInt64(16 << 10), 64 << 10]))
  func initStack(_ name: String, _ threadSize: UInt64) throws {
    let entry = try DumpEntry.named(name)
    let path = try entry.path("vmcore.elf")
    let kallsyms = try entry.kallsyms()
    let stack = try #require(kallsyms["init_stack"])
    func kind(_ query: String) throws -> String? {
      try Kva.run(["identify", path, query, "--json", "--no-debuginfo"]).object()["kind"] as? String
    }
    for offset in [0, 8, threadSize - 1] { #expect(try kind("init_stack+\(offset)") == "task stack") }
    #expect(try kind("init_stack+\(threadSize)") == "kernel data")
    for data in ["jiffies", "init_cred", "tasklist_lock", "modules"] {
      #expect(try #require(kallsyms[data]) >= stack + threadSize)
      #expect(try kind(data) == "kernel data", "\(data)")
    }
    #expect(try kind("init_task") == (name == "c612-64k52" ? "kernel data" : "task_struct"))
  }
}
