import Foundation
import TestSupport
import Testing

/// Slab objects, against the objects of the test module, drgn by DWARF, and KFENCE's own listing.
@Suite struct SlabTests {
  private static let rich = DumpEntry.all.filter { $0.has("oracle/rich/drgn.json") }.flatMap(\.elfDumps)
  private static let withModule = DumpEntry.all.filter { $0.has("oracle/rich/kvatest.txt") }.flatMap(\.elfDumps)
  /// Those whose listing has addresses, and no hashes of them (%p).
  private static let withKfence = DumpEntry.all.filter {
    $0.has("oracle/rich/kfence.txt") && (try? $0.lines("oracle/rich/kfence.txt").first?.contains(": 0xfff")) == true
  }.flatMap(\.elfDumps)

  /// What is said of each address, and the slab of it.
  private func identities(_ dump: Dump, _ addresses: [String]) throws -> [[String: Any]] {
    let answers = try Kva.run(["identify", dump.path(), "--json"], input: addresses.joined(separator: "\n")).objects()
    try #require(answers.count == addresses.count)
    return answers
  }

  /// The objects of the test module: address, size of the cache's objects, and whether it kept them.
  private func objects(_ dump: Dump) throws -> [(address: UInt64, size: Int, isAllocated: Bool)] {
    try dump.entry.lines("oracle/rich/kvatest.txt").filter { $0.contains("KVATEST slab ") }.map { line in
      let words = Dictionary(
        line.split(separator: " ").compactMap { word -> (String, String)? in
          let parts = word.split(separator: "=")
          return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }, uniquingKeysWith: { first, _ in first })
      let address = try #require(words["object"].flatMap { UInt64($0, radix: 16) })
      let size = try #require(words["size"].flatMap { Int($0) })
      return (address, size, words["state"] == "allocated")
    }
  }

  @Test("Each object of the test module", .enabled(if: !withModule.isEmpty), arguments: withModule)
  func module(_ dump: Dump) throws {
    let objects = try objects(dump)
    #expect(objects.count == 40)
    for offset in [0, 5, UInt64(objects[0].size) - 1] {
      let answers = try identities(dump, objects.map { "0x" + String($0.address + offset, radix: 16) })
      for (object, answer) in zip(objects, answers) {
        let slab = try #require(answer["slab"] as? [String: Any], "\(object)")
        #expect(slab["cache"] as? String == "kvatest_cache")
        #expect(slab["object"] as? String == "0x" + String(object.address, radix: 16))
        #expect(slab["size"] as? Int == object.size)
        #expect(slab["offset"] as? UInt64 == offset)
        #expect(slab["part"] as? String == "object")
        #expect(slab["allocated"] as? Bool == object.isAllocated, "\(object)")
        #expect((slab["freeList"] as? String == nil) == object.isAllocated)
        #expect(answer["kind"] as? String == "slab object")
      }
    }
  }

  @Test(
    "All objects of the test module's cache, and its counts", .enabled(if: !withModule.isEmpty), arguments: withModule)
  func listed(_ dump: Dump) throws {
    var wanted: [String: Bool] = [:]
    for object in try objects(dump) { wanted["0x" + String(object.address, radix: 16)] = object.isAllocated }
    let listed = try Kva.run(["slab", dump.path(), "kvatest_cache", "--objects", "--json"]).objects()
    for object in listed {
      let address = try #require(object["object"] as? String)
      // What the module did not allocate is free.
      #expect(object["allocated"] as? Bool == (wanted.removeValue(forKey: address) ?? false), "\(object)")
    }
    #expect(wanted.isEmpty)
    let cache = try Kva.run(["slab", dump.path(), "kvatest_cache", "--json"]).object()
    #expect(cache["allocated"] as? Int == 27)
    #expect(cache["objects"] as? Int == listed.count)
  }

  @Test("Caches as /proc/slabinfo has them, a moment before", .enabled(if: !rich.isEmpty), arguments: rich)
  func slabinfo(_ dump: Dump) throws {
    let result = try Kva.run(["slab", dump.path(), "--json"])
    let caches = try result.objects()
    var known: [String: [String: Any]] = [:]
    for cache in caches { known[try #require(cache["cache"] as? String)] = cache }
    var count = 0
    var differences: [String] = []
    for line in try dump.entry.lines("oracle/rich/slabinfo.txt").dropFirst(2) {
      // name, active, objects, size, objects a slab, pages a slab
      let words = line.split(separator: " ").map(String.init)
      let cache = try #require(known[words[0]], "\(words[0]) is listed")
      count += 1
      #expect(cache["size"] as? Int == Int(words[3]), "\(line)")
      #expect((cache["order"] as? Int).map { 1 << $0 } == Int(words[5]), "\(line)")
      let (objects, active) = (try #require(cache["objects"] as? Int), try #require(cache["active"] as? Int))
      #expect(active <= objects)
      if let allocated = cache["allocated"] as? Int {
        #expect(allocated <= active)
      } else {
        // A filter may have taken the page of a free object.
        #expect(result.errorLines.contains { $0.contains("\(words[0]): ") && $0.hasSuffix("is not in the dump") })
      }
      if objects != Int(words[2]) { differences.append(words[0]) }
    }
    // The guest of oops-612-irq loaded the test module, which makes a cache, only after it had told what it knows.
    let isModuleListed = try dump.entry.lines("oracle/rich/modules_more.txt").contains { $0.hasPrefix("kvatest ") }
    #expect(count == caches.count - (isModuleListed || known["kvatest_cache"] == nil ? 0 : 1))
    #expect(differences.count < count / 4, "\(differences)")
  }

  private static let withTraces = DumpEntry.all.filter {
    $0.has("oracle/rich/slab_traces.txt") && (try? $0.data("oracle/rich/slab_traces.txt").count) ?? 0 > 100
  }.flatMap(\.elfDumps)

  @Test(
    "Who allocated the test module's objects, as alloc_traces in debugfs has it", .enabled(if: !withTraces.isEmpty),
    arguments: withTraces)
  func traces(_ dump: Dump) throws {
    // "== CACHE alloc_traces", then for each: "  27 FUNCTION age=... pid=56 cpus=1", and its frames deeper in.
    var wanted: [(count: Int, pid: String, frames: [String])] = []
    var isWanted = false
    for line in try dump.entry.lines("oracle/rich/slab_traces.txt") {
      let words = line.split(separator: " ").map(String.init)
      if line.hasPrefix("== ") {
        isWanted = words == ["==", "kvatest_cache", "alloc_traces"]
      } else if isWanted, let count = Int(words[0]) {
        wanted.append((count, words.first { $0.hasPrefix("pid=") }.map { String($0.dropFirst(4)) } ?? "", []))
      } else if isWanted, !wanted.isEmpty {
        wanted[wanted.count - 1].frames.append(line.trimmingCharacters(in: .whitespaces))
      }
    }
    try #require(!wanted.isEmpty)
    let callers = try Kva.run(["slab", dump.path(), "kvatest_cache", "--by-caller", "--json"]).objects()
    #expect(callers.count == wanted.count)
    for (caller, wanted) in zip(callers, wanted) {
      #expect(caller["count"] as? Int == wanted.count)
      let frames = try #require(caller["frames"] as? [String])
      #expect(frames.count == wanted.frames.count)
      // The module had freed the function that made them: the kernel has no name for it, nor have we.
      for (frame, text) in zip(frames, wanted.frames) { #expect(frame == text) }
    }
    let objects = try objects(dump)
    let answers = try identities(dump, objects.map { "0x" + String($0.address, radix: 16) })
    for (object, answer) in zip(objects, answers) {
      let tracks = try #require((answer["slab"] as? [String: Any])?["tracks"] as? [[String: Any]])
      #expect(tracks.map { $0["what"] as? String } == (object.isAllocated ? ["alloc"] : ["alloc", "free"]))
      #expect(tracks.allSatisfy { "\($0["pid"] ?? "")" == wanted[0].pid }, "\(tracks)")
    }
  }

  @Test(
    "A CPU's part of a cache is named where it is allocated", .enabled(if: !withModule.isEmpty), arguments: withModule)
  func perCPUPart(_ dump: Dump) throws {
    let path = try dump.path()
    let cache = try Kva.run(["slab", path, "dentry", "--json"]).object()
    let address = try #require(cache["address"] as? String)
    let asked = ["((struct kmem_cache *)\(address))->cpu_slab", "((unsigned long *)&__per_cpu_offset)[0]"]
    let values = try Kva.run(["print", path, "--json"] + asked).objects().map { value in
      (value["value"] as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) }
    }
    let (pointer, offset) = (try #require(values.first ?? nil), try #require(values.last ?? nil))
    let place = pointer &+ offset &+ 8
    let found = try Kva.run(["identify", path, "0x" + String(place, radix: 16), "--json"]).object()
    let part = try #require(found["perCPU"] as? [String: Any], "\(found)")
    #expect(part["name"] as? String == "kmem_cache_cpu of dentry")
    #expect(part["cpu"] as? Int == 0 && part["offset"] as? Int == 8)
  }

  private static let debian = DumpEntry.corpus.first { $0.name == "deb61-4k48-rich" }

  @Test("Merged caches are found by each of their names", .enabled(if: debian != nil))
  func merged() throws {
    let entry = try #require(Self.debian)
    let path = try entry.path("vmcore.elf")
    // Debian's 6.1 merges these two; /sys/kernel/slab of the guest has a link for each.
    let attributes = try entry.lines("oracle/rich/slab_attributes.txt")
    #expect(attributes.contains { $0.hasPrefix("lsm_inode_cache ") })
    let one = try Kva.run(["slab", path, "lsm_inode_cache", "--json"]).object()
    let other = try Kva.run(["slab", path, "numa_policy", "--json"]).object()
    #expect(one["address"] as? String == other["address"] as? String)
    #expect((one["aliases"] as? [String])?.contains("lsm_inode_cache") == true)
    let none = try Kva.run(["slab", path, "no_such_cache"])
    #expect(none.status == 1 && none.errorLines.count == 1)
  }

  /// drgn goes by the slab alone: it names objects before the first and behind the last one of a slab, takes pages of
  /// KFENCE for slabs, and leaves out the CPUs that a panic took offline.
  @Test("Random slab addresses as drgn has them", .enabled(if: !rich.isEmpty), arguments: rich)
  func drgn(_ dump: Dump) throws {
    let oracle = try #require(
      JSONSerialization.jsonObject(with: dump.entry.data("oracle/rich/drgn.json")) as? [String: Any])
    let samples = try #require(oracle["slab"] as? [[String: Any]])
    let answers = try identities(dump, samples.map { try #require($0["address"] as? String) })
    var same = 0
    for (sample, answer) in zip(samples, answers) {
      let slab = answer["slab"] as? [String: Any]
      guard let wanted = sample["answer"] as? [String: Any], wanted["cache"] != nil else {
        #expect(slab == nil, "\(sample)")
        continue
      }
      // Guard pages and unused ones of KFENCE.
      guard let slab else {
        #expect((answer["kind"] as? String)?.hasPrefix("KFENCE ") == true, "\(sample): \(answer)")
        continue
      }
      let isKfence = slab["kfence"] as? Bool ?? false
      guard slab["part"] as? String != "tail", slab["offset"] as? Int ?? -1 >= 0, !isKfence else { continue }
      #expect(slab["cache"] as? String == wanted["cache"] as? String, "\(sample)")
      #expect(slab["object"] as? String == wanted["object"] as? String, "\(sample)")
      let list = slab["freeList"] as? String ?? ""
      if dump.entry.name.hasPrefix("oops-"), list.hasPrefix("CPU ") { continue }
      #expect(slab["allocated"] as? Bool == wanted["allocated"] as? Bool, "\(sample): \(slab)")
      same += 1
    }
    #expect(same > samples.count / 2)
  }

  private func parseHex(_ text: String) -> UInt64 { UInt64(text.dropFirst(2), radix: 16) ?? 0 }

  @Test("Objects of KFENCE as its listing has them", .enabled(if: !withKfence.isEmpty), arguments: withKfence)
  func kfence(_ dump: Dump) throws {
    // "kfence-#0: 0xffff4d66cff82000-0xffff4d66cff82fff, size=4096, cache=task_struct", then who allocated it.
    var wanted: [(start: String, size: Int, cache: String, pid: Int)] = []
    for line in try dump.entry.lines("oracle/rich/kfence.txt") {
      if line.hasPrefix("kfence-#") {
        let words = line.split(whereSeparator: { " ,-=".contains($0) })
        let start = try #require(words.first { $0.hasPrefix("0x") })
        let size = try #require(words.firstIndex(of: "size").flatMap { Int(words[$0 + 1]) })
        wanted.append((String(start), size, String(line.suffix(after: "cache=")), -1))
      } else if line.hasPrefix("allocated by task "), !wanted.isEmpty {
        wanted[wanted.count - 1].pid = Int(line.split(separator: " ")[3]) ?? -1
      }
    }
    let answers = try identities(dump, wanted.map(\.start))
    var same = 0
    for (object, answer) in zip(wanted, answers) {
      guard let slab = answer["slab"] as? [String: Any], let track = (slab["tracks"] as? [[String: Any]])?.first,
        track["pid"] as? Int == object.pid, slab["object"] as? String == object.start
      else { continue }
      same += 1
      #expect(slab["size"] as? Int == object.size && slab["cache"] as? String == object.cache, "\(object): \(slab)")
      #expect(track["what"] as? String == "alloc" && (track["frames"] as? [String])?.isEmpty == false)
    }
    // In words, all over their pages: the cache of a freed object, too, may have red zones or none.
    let places = wanted.flatMap { object in
      stride(from: UInt64(0), to: 4096, by: 255).map {
        "0x\(String((parseHex(object.start) & ~0xfff) + $0, radix: 16))"
      }
    }
    let texts = try Kva.run(["identify", dump.path(), "-"], input: places.joined(separator: "\n"))
    #expect(texts.status <= 1 && texts.lines.count { $0.contains(" of KFENCE, for ") } > places.count * 3 / 4)
    // Some were used again before the stop.
    #expect(wanted.count > 10)
    #expect(same > wanted.count * 3 / 4, "\(same) of \(wanted.count)")
  }
}

extension String {
  fileprivate func suffix(after text: String) -> Substring {
    range(of: text).map { self[$0.upperBound...] } ?? ""
  }
}
