import Foundation
import TestSupport
import Testing

/// `NAME@cpuN` and NAME alone, by the bounds of the per-CPU section in /proc/kallsyms.
struct PerCPUTests {
  private func entry() throws -> (entry: DumpEntry, path: String, section: Range<UInt64>) {
    let entry = try DumpEntry.named("c612-64k52")
    let kallsyms = try entry.kallsyms()
    let start = try #require(kallsyms["__per_cpu_start"])
    return (entry, try entry.path("vmcore.elf"), start..<(try #require(kallsyms["__per_cpu_end"])))
  }

  @Test("What lies outside of the section is refused, of functions, data and modules")
  func others() throws {
    let (entry, path, section) = try entry()
    let names = ["schedule", "jiffies", "swapper_pg_dir", "_end", "init_task", "__per_cpu_offset"]
    for name in names {
      try #require(try entry.kallsyms()[name].map { !section.contains($0) } ?? true)
      for cpu in 0..<2 {
        let answer = try Kva.run(["resolve", path, "\(name)@cpu\(cpu)", "--json"])
        #expect(answer.status == 1)
        let object = try answer.object()
        #expect(object["virtual"] == nil, "\(name)")
        #expect((object["message"] as? String)?.contains("'\(name)' is not per-CPU") == true, "\(name)")
      }
    }
  }

  @Test(
    "A per-CPU variable alone, whose template is freed, is answered with how to ask",
    arguments: ["resolve", "identify"])
  func template(_ command: String) throws {
    let (entry, path, section) = try entry()
    let kallsyms = try entry.kallsyms()
    let asked = kallsyms.filter { section.contains($0.value) }.keys.sorted()
    try #require(asked.count > 100)
    for name in stride(from: 0, to: asked.count, by: 40).map({ asked[$0] }) {
      let answer = try Kva.run([command, path, name, "--json"])
      #expect(answer.status == 1)
      #expect((try answer.object()["message"] as? String)?.contains("use \(name)@cpuN") == true, "\(name)")
      #expect(try Kva.run([command, path, "\(name)@cpu1", "--json"]).object()["status"] as? String == "mapped")
    }
    let read = try Kva.run(["read", path, asked[0], "8"])
    #expect(read.status == 1 && read.standardError.contains("use \(asked[0])@cpuN"))
  }
}
