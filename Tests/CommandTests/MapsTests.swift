import Foundation
import TestSupport
import Testing

/// What processes have mapped, against the kernel's own /proc/PID/maps and status.
@Suite struct MapsTests {
  private static let rich = DumpEntry.all.filter { $0.has("oracle/rich/maps.txt") }.flatMap(\.elfDumps)

  /// The parts of a listing that `== PID NAME` divides.
  private func parts(_ dump: Dump, _ name: String) throws -> [(pid: String, lines: [String])] {
    var result: [(pid: String, lines: [String])] = []
    for line in try dump.entry.lines("oracle/rich/\(name)") {
      if line.hasPrefix("== ") {
        result.append((String(line.dropFirst(3).prefix { $0 != " " }), []))
      } else if !result.isEmpty {
        result[result.count - 1].lines.append(line)
      }
    }
    return result
  }

  @Test("Each process has the lines of /proc/PID/maps, to the letter", .enabled(if: !rich.isEmpty), arguments: rich)
  func procMaps(_ dump: Dump) throws {
    var asked = 0
    for (pid, lines) in try parts(dump, "maps.txt") {
      let result = try Kva.run(["maps", dump.path(), pid])
      // The process that made the listing.
      if result.standardError.contains("no process") { continue }
      asked += lines.count
      #expect(result.lines == lines, "PID \(pid)")
      // Whichever thread or CPU names it.
      if pid == "1" { #expect(try Kva.run(["vm", dump.path(), pid]).lines == lines) }
    }
    #expect(asked > 90)
  }

  /// From 6.2 on the counters of a process are exact (f1a7941243c1 "mm: convert mm's rss stats into percpu_counter"),
  /// but for init, which went on.
  @Test("Resident and swapped pages add up to VmRSS and VmSwap", .enabled(if: !rich.isEmpty), arguments: rich)
  func status(_ dump: Dump) throws {
    let isExact = !dump.entry.name.contains("61-")
    var asked = 0
    var swapped = 0
    for (pid, lines) in try parts(dump, "status.txt") where pid != "1" {
      let fields = Dictionary(
        lines.compactMap { line in
          line.firstIndex(of: ":").map { (String(line[..<$0]), line[line.index(after: $0)...].filter(\.isNumber)) }
        }, uniquingKeysWith: { first, _ in first })
      guard let resident = fields["VmRSS"].flatMap({ Int($0) }), let swap = fields["VmSwap"].flatMap({ Int($0) }) else {
        continue
      }
      let result = try Kva.run(["maps", dump.path(), pid, "--json"])
      if result.standardError.contains("no process") { continue }
      let areas = try result.objects()
      func sum(_ key: String) -> Int {
        areas.filter { !($0["flags"] as? [String] ?? []).contains("VM_HUGETLB") }
          .reduce(0) { $0 + ($1[key] as? Int ?? -1 << 40) } >> 10
      }
      asked += 1
      #expect(sum("swapped") == swap, "PID \(pid)")
      if isExact { #expect(sum("resident") == resident, "PID \(pid)") }
      swapped += swap
    }
    #expect(asked > 5 && swapped > 0)
  }

  @Test("What has no VMAs says why", .enabled(if: !rich.isEmpty), arguments: rich.prefix(1))
  func nothing(_ dump: Dump) throws {
    for (task, words) in [
      ("2", "PID 2 (kthreadd) is a kernel thread: it has no user space"), ("99999", "no process 99999"),
      ("cpu77", "there is no CPU 77"), ("0x1000", "is not the address of a task_struct"),
    ] {
      let result = try Kva.run(["maps", dump.path(), task])
      #expect(result.status == 1 && result.text == "" && result.standardError.contains(words), "\(result)")
    }
    #expect(try Kva.run(["maps", dump.path()]).status == 64)
  }

  @Test("Each descriptor leads where /proc/PID/fd does", .enabled(if: !rich.isEmpty), arguments: rich)
  func descriptors(_ dump: Dump) throws {
    var wanted: [String: [String]] = [:]
    for line in try dump.entry.lines("oracle/rich/fds.txt") {
      let parts = line.split(separator: " ", maxSplits: 2).map(String.init)
      // The shell of the listing had files of its own open meanwhile.
      if parts.count == 3, parts[0] != "1" { wanted[parts[0], default: []].append("\(parts[1]) \(parts[2])") }
    }
    var asked = 0
    for (pid, lines) in wanted {
      let result = try Kva.run(["files", dump.path(), pid, "--json"])
      if result.standardError.contains("no process") { continue }
      let found = try result.objects().map { "\($0["fd"] as? Int ?? -1) \($0["path"] as? String ?? "")" }
      #expect(found.sorted() == lines.sorted(), "PID \(pid)")
      asked += lines.count
    }
    #expect(asked > 20)
    // What the first process has for standard output is open for writing.
    let first = try Kva.run(["files", dump.path(), "1", "--json"]).objects()
    let flags = try #require(first.first { $0["fd"] as? Int == 0 }?["flags"] as? [String])
    #expect(flags.contains("O_RDWR") || flags.contains("O_RDONLY"))
  }
}
