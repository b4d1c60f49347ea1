import Foundation
import TestSupport
import Testing

/// Objects that were written over: damage planted in a copy of a real dump, in the cache of the test module, which is
/// checked by SLUB (slub_debug=FZPU).
@Suite struct SlabDamageTests {
  private static let entry = DumpEntry.corpus.first { $0.name == "c612-4k48-rich" }
  private static let rich = DumpEntry.corpus.filter { $0.has("oracle/rich/drgn.json") }.flatMap(\.elfDumps)

  /// The module's objects have 144 bytes, a red zone of 8 bytes before and one behind each, then the free pointer.
  struct Plant: Sendable, CustomStringConvertible {
    let what: String
    let isAllocated: Bool
    let offset: Int
    let bytes: [UInt8]
    let expected: String
    var description: String { "\(what) of one that is \(isAllocated ? "allocated" : "free")" }
  }

  static let plants = [
    Plant(what: "right red zone", isAllocated: true, offset: 144, bytes: [0x41, 0x42, 0x43], expected: "0xcc"),
    Plant(what: "left red zone", isAllocated: true, offset: -2, bytes: [0x41, 0], expected: "0xcc"),
    Plant(what: "right red zone", isAllocated: false, offset: 151, bytes: [0xcc], expected: "0xbb"),
    Plant(what: "poison", isAllocated: false, offset: 20, bytes: [1, 2, 3, 4, 5], expected: "0x6b"),
    Plant(what: "poison", isAllocated: false, offset: 143, bytes: [0x6b], expected: "0xa5"),
  ]

  private func withCore(_ body: (PatchedCore, [(address: UInt64, isAllocated: Bool)]) throws -> Void) throws {
    let entry = try #require(Self.entry)
    let facts = try entry.facts()
    let objects = try entry.lines("oracle/rich/kvatest.txt").filter { $0.contains("KVATEST slab ") }.map { line in
      let address = try #require(
        line.firstRange(of: "object=").flatMap { UInt64(line[$0.upperBound...].prefix(16), radix: 16) })
      return (address: address, isAllocated: line.hasSuffix("state=allocated"))
    }
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try body(
        PatchedCore(
          copying: try entry.path("vmcore.elf"), to: path, root: facts.swapperPgDir &- facts.kimageVoffset), objects)
    }
  }

  @Test("Nothing of a sound kernel was written over", .enabled(if: !rich.isEmpty), arguments: rich)
  func sound(_ dump: Dump) throws {
    let result = try Kva.run(["slab", dump.path(), "--check", "--json"])
    #expect(result.output.isEmpty, "\(String(decoding: result.output, as: UTF8.self).prefix(2000))")
  }

  @Test("What was written over is told, with where, and who has the object", .enabled(if: entry != nil))
  func overwritten() throws {
    try withCore { core, objects in
      for plant in Self.plants {
        let object = try #require(objects.dropFirst(2).first { $0.isAllocated == plant.isAllocated })
        let place = object.address &+ UInt64(bitPattern: Int64(plant.offset))
        try core.set(plant.bytes, at: place)
        let listed = try Kva.run(["slab", core.path, "kvatest_cache", "--check", "--json"])
        let asked = try Kva.run(["identify", core.path, "0x" + String(object.address, radix: 16), "--json"]).object()
        try core.restore()
        #expect(listed.status == 1)
        let damages = try listed.objects()
        try #require(damages.count == 1, "\(plant): \(damages)")
        let own = try #require((asked["slab"] as? [String: Any])?["damage"] as? [[String: Any]])
        #expect(own.count == 1)
        for damage in damages + own {
          #expect(damage["what"] as? String == plant.what, "\(plant)")
          #expect(damage["start"] as? String == "0x" + String(place, radix: 16), "\(plant)")
          #expect(damage["end"] as? String == "0x" + String(place + UInt64(plant.bytes.count), radix: 16), "\(plant)")
          #expect(damage["expected"] as? String == plant.expected, "\(plant)")
          #expect(
            damage["found"] as? String == plant.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
        }
        #expect(damages[0]["object"] as? String == "0x" + String(object.address, radix: 16))
        #expect(damages[0]["allocated"] as? Bool == plant.isAllocated)
        // The module's process made all of them: pid=56 in slab_traces.txt.
        let tracks = try #require(damages[0]["tracks"] as? [[String: Any]])
        #expect(tracks.first?["what"] as? String == "alloc" && tracks.first?["pid"] as? Int == 56)
        #expect((asked["notes"] as? [String])?.contains { $0.contains("overwritten at") } == true)
      }
    }
  }

  @Test("A broken free list is told with the object whose pointer it is", .enabled(if: entry != nil))
  func brokenList() throws {
    try withCore { core, objects in
      // A free object whose pointer is followed: all that are free but the last of each list.
      let free = objects.filter { !$0.isAllocated }
      var found = 0
      for object in free.prefix(4) {
        // The free pointer is behind the red zone, as poisoned objects have it.
        try core.set(0x4141_4141_4141_4141 as UInt64, at: object.address + 152)
        let damages = try Kva.run(["slab", core.path, "kvatest_cache", "--check", "--json"]).objects()
        try core.restore()
        let pointer = try #require(damages.first { $0["what"] as? String == "free pointer" }, "\(damages)")
        #expect(pointer["object"] as? String == "0x" + String(object.address, radix: 16))
        #expect(pointer["start"] as? String == "0x" + String(object.address + 152, radix: 16))
        #expect(pointer["found"] as? String == "4141414141414141")
        #expect((pointer["tracks"] as? [[String: Any]])?.first?["pid"] as? Int == 56)
        found += 1
      }
      #expect(found == 4)
    }
  }
}
