import Foundation
import TestSupport
import Testing

/// More input never makes an answer smaller: what a file lacks is taken from the dump.
@Suite struct FallbackTests {
  @Test("With a vmlinux that has no DWARF tasks and CPUs are those of the dump alone", arguments: ["tasks", "info"])
  func noDWARF(_ command: String) throws {
    let entry = try DumpEntry.named("c612-64k52")
    let arguments = [command, try entry.path("vmcore.elf"), "--json", "--no-debuginfo"]
    let alone = try Kva.run(arguments)
    let vmlinux = try entry.path("vmlinux")
    let both = try Kva.run(arguments + ["--vmlinux", vmlinux])
    #expect(both.status == alone.status && both.errorLines.count == alone.errorLines.count)
    if command == "tasks" {
      #expect(both.text == alone.text)
      // ps of the guest, and the tasks that the kernel has for itself.
      #expect(both.lines.count >= (try entry.lines("oracle/ps.txt")).count)
    } else {
      let (first, second) = (try alone.object()["cpus"], try both.object()["cpus"])
      #expect((first as? NSArray)?.isEqual(second) == true)
      let types = (try both.object()["sources"] as? [String: Any])?["types"] as? String
      #expect(types == "VMCOREINFO, the shape of init_task; \(vmlinux) has no DWARF")
    }
  }

  @Test("A vmlinux that is cut short, and one without symbols, are told apart")
  func cutOrStripped() throws {
    let entry = try DumpEntry.named("c612-64k52")
    let dump = try entry.path("vmcore.elf")
    let whole = try entry.data("vmlinux")
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmlinux").path
      for part in [whole.count / 3, whole.count - 100] {
        try whole.prefix(part).write(to: URL(fileURLWithPath: path))
        let cut = try Kva.run(["resolve", dump, "--vmlinux", path, "init_task"])
        #expect(cut.status == 2 && cut.standardError.contains("is cut short"), "\(cut.standardError)")
      }
      // The section of type SHT_SYMTAB becomes one of no type (SHT_NULL).
      var stripped = whole
      let table = Int(stripped.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 40, as: UInt64.self) })
      let count = Int(stripped.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 60, as: UInt16.self) })
      for number in 0..<count where stripped[table + number * 64 + 4] == 2 { stripped[table + number * 64 + 4] = 0 }
      try stripped.write(to: URL(fileURLWithPath: path))
      let answer = try Kva.run(["resolve", dump, "--vmlinux", path, "init_task", "--json"])
      #expect(answer.status == 0)
      #expect(answer.standardError.contains("has no symbol table"))
      let virtual = try answer.object()["virtual"] as? String
      #expect(virtual == "0x" + String(try #require(try entry.kallsyms()["init_task"]), radix: 16))
    }
  }
}
