import Foundation
import TestSupport
import Testing

/// What tasks wait for, and how long ago they ran. Locks and waiters are written into the dump by hand, as the kernel's
/// sources lay them out.
@Suite struct LockWaitTests {
  private static let debian = DumpEntry.inCorpus("deb61-4k48-rich")
  private static let shadowed = DumpEntry.inCorpus("c612-4k48-rich")
  private static let newest = DumpEntry.inCorpus("deb73-4k52-rich")

  @Test("The lock that a task waits for, and who has it", .enabled(if: debian != nil))
  func locks() throws {
    let entry = try #require(Self.debian)
    try Scratch.withFolder { folder in
      let patient = try StackPatient(entry, pid: 2, at: folder.appendingPathComponent("vmcore").path)
      let core = patient.core
      #expect(try patient.answer()["waitsFor"] is NSNull)
      let owner = try #require(patient.tasks[1])
      let names = patient.kallsyms.keys
      // The function, struct mutex {owner; wait_list at 16}, struct rw_semaphore {count; owner; wait_list at 24}.
      let cases: [(function: String, kind: String, ownerAt: UInt64, listAt: UInt64, flags: UInt64)] = [
        ("__mutex_lock", "mutex", 0, 16, 1), ("rwsem_down_read_slowpath", "rwsem", 8, 24, 0),
        ("rwsem_down_write_slowpath", "rwsem", 8, 24, 3),
      ]
      for (function, kind, ownerAt, listAt, flags) in cases {
        let name = try #require(names.filter { $0 == function || $0.hasPrefix(function + ".") }.min(), "\(function)")
        try core.set(patient.call(in: name), at: patient.frames[2].sp + 8)
        // struct mutex_waiter and rwsem_waiter {list; task at 16}: among registers that a kernel thread does not use.
        let waiter = patient.stack + 0x4000 - 336 + 16
        let lock = patient.stack + 0x200
        for (at, value) in [
          (waiter, lock + listAt), (waiter + 8, lock + listAt), (waiter + 16, patient.task),
          (lock + listAt, waiter), (lock + listAt + 8, waiter), (lock + ownerAt, owner | flags),
        ] {
          try core.set(value, at: at)
        }
        let answer = try patient.answer()
        let wait = try #require(answer["waitsFor"] as? [String: Any], "\(function)")
        #expect(wait["kind"] as? String == kind)
        #expect(wait["lock"] as? String == "0x" + String(lock, radix: 16))
        #expect((wait["owner"] as? [String: Any])?["pid"] as? Int == 1)
        #expect(wait["readers"] as? Bool == (kind == "rwsem" ? flags & 1 == 1 : nil))
        // A list that does not lead to this task is none of its locks.
        try core.set(lock + listAt, at: lock + listAt)
        #expect(try patient.answer()["waitsFor"] is NSNull, "\(function)")
        try core.restore()
      }
    }
  }

  @Test("Since a task ran, not more time has gone by than since it was made", .enabled(if: debian != nil))
  func sinceRun() throws {
    for entry in [Self.debian, Self.shadowed].compactMap(\.self) {
      let path = try entry.path("vmcore.elf")
      let log = try Kva.run(["dmesg", path, "--json"]).objects()
      let end = try #require(log.compactMap { $0["timestamp"] as? Int }.max())
      let oracle = try #require(
        JSONSerialization.jsonObject(with: entry.data("oracle/rich/drgn.json")) as? [String: Any])
      var started: [String: Int] = [:]
      for task in try #require(oracle["tasks"] as? [[String: Any]]) {
        if let address = task["task"] as? String { started[address] = task["start_time"] as? Int }
      }
      var known = 0
      for stack in try Kva.run(["stack", path, "--all", "--json"]).objects() {
        guard let since = stack["sinceRun"] as? Int, let start = started[stack["task"] as? String ?? ""] else {
          continue
        }
        known += 1
        // The machine was stopped within a minute of the last message.
        #expect(since >= 0 && since <= end + 60_000_000_000 - start, "\(stack["comm"] ?? ""): \(since)")
      }
      #expect(known > 40)
    }
  }

  @Test(
    "The lock that a task notes as its blocker, on kernels whose lists of waiters have no head",
    .enabled(if: newest != nil))
  func blocker() throws {
    let entry = try #require(Self.newest)
    let original = try entry.path("vmcore.elf")
    let oracle = try #require(
      JSONSerialization.jsonObject(with: entry.data("oracle/rich/drgn.json")) as? [String: Any])
    let tasks = try #require(oracle["tasks"] as? [[String: Any]])
    func field(_ pid: Int, _ name: String) throws -> UInt64 {
      try parseAddress(#require(tasks.first { $0["pid"] as? Int == pid }?[name] as? String))
    }
    let task = try field(2, "task")
    let stack = try field(2, "stack")
    let layout = try #require(
      (oracle["layouts"] as? [[String: Any]])?.first { $0["type"] as? String == "struct task_struct" })
    let member = try #require((layout["members"] as? [[String: Any]])?.first { $0["name"] as? String == "blocker" })
    let blocker = try UInt64(#require(member["bit"] as? Int)) / 8
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try FileManager.default.copyItem(atPath: original, toPath: path)
      let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
      let reader = try CoreReader(path: original)
      func set(_ value: UInt64, at address: UInt64) throws {
        let answer = try Kva.run(["resolve", original, "0x" + String(address, radix: 16), "--json"]).object()
        let physical = try parseAddress(#require(answer["physical"] as? String))
        try file.seek(toOffset: #require(reader.offset(physical, 8)))
        try file.write(contentsOf: withUnsafeBytes(of: value.littleEndian) { Data($0) })
      }
      // struct mutex {owner; first_waiter at 16}, struct rw_semaphore {count; owner; first_waiter at 24}; waiters are a
      // ring of {list; task at 16}. BLOCKER_TYPE_MUTEX is 0, BLOCKER_TYPE_RWSEM_WRITER 3.
      let waiter = stack + 0x300
      let lock = stack + 0x200
      for (value, at) in [(waiter, waiter), (waiter, waiter + 8), (task, waiter + 16)] { try set(value, at: at) }
      for (kind, type, ownerAt, firstAt) in [("mutex", 0, 0, 16), ("rwsem", 3, 8, 24)]
        as [(String, UInt64, UInt64, UInt64)]
      {
        try set(field(1, "task"), at: lock + ownerAt)
        try set(waiter, at: lock + firstAt)
        try set(lock | type, at: task + blocker)
        let answer = try Kva.run(["stack", path, "2", "--json"]).object()
        let wait = try #require(answer["waitsFor"] as? [String: Any])
        #expect(wait["kind"] as? String == kind)
        #expect(wait["lock"] as? String == "0x" + String(lock, radix: 16))
        #expect((wait["owner"] as? [String: Any])?["comm"] as? String == "init")
        // Another task's waiter is none of this one's.
        try set(field(1, "task"), at: waiter + 16)
        #expect(try Kva.run(["stack", path, "2", "--json"]).object()["waitsFor"] is NSNull)
        try set(task, at: waiter + 16)
      }
    }
  }

  @Test("Hardware errors are counted by kind", .enabled(if: newest != nil))
  func hardwareErrors() throws {
    let entry = try #require(Self.newest)
    let original = try entry.path("vmcore.elf")
    func counts(_ path: String) throws -> [[String: Any]] {
      try #require(try Kva.run(["report", path, "--json"]).object()["hardwareErrors"] as? [[String: Any]])
    }
    #expect(try counts(original).map { $0["kind"] as? String } == ["cpu", "memory", "pci", "cxl", "other"])
    #expect(try counts(original).allSatisfy { $0["count"] as? Int == 0 && $0["last"] is NSNull })
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      // struct hwerr_info {atomic_t count; time64_t timestamp}, by enum hwerr_error_type.
      let table = try #require(try entry.kallsyms()["hwerr_data"]) &- entry.facts().kimageVoffset
      let offset = try #require(try CoreReader(path: original).offset(table, 80))
      let file = try DamagedFile(copyOf: original, at: path)
      let bytes = [UInt8](little: 3 as UInt64) + [UInt8](little: 1_790_000_000 as UInt64)
      try file.with(bytes, at: Int(offset) + 16) {
        let found = try counts(path)
        #expect(found.map { $0["count"] as? Int } == [0, 3, 0, 0, 0])
        #expect(found[1]["last"] as? Int == 1_790_000_000)
        #expect(try Kva.run(["report", path]).text.contains("3 recovered memory errors, last 2026-"))
      }
    }
    // 6.12 counts none.
    let older = try Kva.run(["report", DumpEntry.named("c612-64k52").elfDumps[0].path(), "--json"]).object()
    #expect(older["hardwareErrors"] is NSNull)
  }
}
