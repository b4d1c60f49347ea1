import Foundation
import TestSupport
import Testing

/// A dump, the task that a test changes, and its frames by drgn. The frame record of each is at its sp.
struct StackPatient {
  let core: PatchedCore
  let task: UInt64
  let stack: UInt64
  let frames: [(symbol: String, pc: UInt64, sp: UInt64)]
  let kallsyms: [String: UInt64]
  /// Offsets of members of task_struct.
  let members: [String: UInt64]
  let tasks: [Int: UInt64]

  init(_ entry: DumpEntry, pid: Int, at path: String) throws {
    let facts = try entry.facts()
    core = try PatchedCore(
      copying: entry.path("vmcore.elf"), to: path, root: facts.swapperPgDir &- facts.kimageVoffset)
    kallsyms = try entry.kallsyms()
    let oracle = try #require(
      JSONSerialization.jsonObject(with: entry.data("oracle/rich/drgn.json")) as? [String: Any])
    let tasks = try #require(oracle["tasks"] as? [[String: Any]])
    let found = try #require(tasks.first { $0["pid"] as? Int == pid })
    task = try parseAddress(#require(found["task"] as? String))
    stack = try parseAddress(#require(found["stack"] as? String))
    frames = try #require(found["trace"] as? [[String: Any]]).map {
      (
        $0["symbol"] as? String ?? "", try parseAddress(#require($0["pc"] as? String)),
        try parseAddress(#require($0["sp"] as? String))
      )
    }
    let layouts = try #require(oracle["layouts"] as? [[String: Any]])
    let layout = try #require(layouts.first { $0["type"] as? String == "struct task_struct" })
    members = Dictionary(
      try #require(layout["members"] as? [[String: Any]]).compactMap { member in
        (member["name"] as? String).map { ($0, UInt64(member["bit"] as? Int ?? 0) / 8) }
      }, uniquingKeysWith: { first, _ in first })
    self.tasks = Dictionary(
      try tasks.map { ($0["pid"] as? Int ?? -1, try parseAddress(#require($0["task"] as? String))) },
      uniquingKeysWith: { first, _ in first })
  }

  /// The address behind the first call in `function`.
  func call(in function: String) throws -> UInt64 {
    let start = try #require(kallsyms[function])
    for address in stride(from: start, to: start + 0x400, by: 4)
    where try core.half(address) >> 26 == 0b100101 { return address + 4 }
    throw TestSupportError("no call in \(function)")
  }

  func answer() throws -> [String: Any] {
    try Kva.run(["stack", core.path, "0x" + String(task, radix: 16), "--json"]).object()
  }

  func symbols(_ answer: [String: Any]) throws -> [String] {
    try #require(answer["frames"] as? [[String: Any]]).map { $0["symbol"] as? String ?? "" }
  }
}

extension DumpEntry {
  /// The entry of the corpus called `name`; nil if it is not at hand.
  static func inCorpus(_ name: String) -> DumpEntry? { corpus.first { $0.name == name } }
}
