import Foundation
import KernelVA
import TestSupport
import Testing

/// The seeds of the fuzz targets in TestData/fuzz: they are what their writers make today, each target has one, and
/// what it is for reads it. `KVA_DEVELOPMENT=1 swift run fuzz-seeds` writes them anew.
@Suite struct FuzzSeedTests {
  static let folder = Checkout.testData.appendingPathComponent("fuzz")

  private static func file(_ name: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: folder.appendingPathComponent(name)))
  }

  @Test("They are what their writers write", arguments: FuzzSeeds.all.keys.sorted())
  func current(_ name: String) throws {
    let make = try #require(FuzzSeeds.all[name])
    let made = try make()
    #expect(made.count < 24 << 10)
    #expect(try Self.file(name) == made, "fallen behind: KVA_DEVELOPMENT=1 swift run fuzz-seeds")
  }

  @Test("Each target has some, and each is of a target")
  func targets() throws {
    let source = Checkout.root.appendingPathComponent("Fuzz/Sources/kva-fuzz/Targets.swift")
    let targets = try Set(
      String(contentsOf: source, encoding: .utf8).matches(of: /Target\(name: "(\w+)"/).map { String($0.1) })
    #expect(targets.count > 15)
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
    #expect(Set(folders) == targets)
    for target in targets {
      let files = try FileManager.default.contentsOfDirectory(
        atPath: Self.folder.appendingPathComponent(target).path)
      #expect(!files.isEmpty, "\(target)")
    }
    #expect(Set(FuzzSeeds.all.keys.map { String($0.prefix { $0 != "/" }) }).isSubset(of: targets))
  }

  @Test(
    "Those of dumps are dumps",
    arguments: FuzzSeeds.all.keys.sorted().filter { name in
      ["elf/", "kdump/", "flattened/", "lime/"].contains { name.hasPrefix($0) }
    })
  func dumps(_ name: String) throws {
    let dump = try DumpFile(path: Self.folder.appendingPathComponent(name).path)
    #expect(!dump.memory.ranges.isEmpty)
  }

  @Test("Those of types, queries, symbols and VMCOREINFO are read to their end")
  func others() throws {
    let types = try #require(BTFTypes(Self.file("btf/lists"), origin: "seed"))
    #expect(types.isComplete && types.member("comm", of: "task_struct")?.size == 16)
    for name in ["handmade", "c61-4k48", "c612-64k52"] {
      let info = VMCoreInfo(try Self.file("vmcoreinfo/\(name)"))
      #expect(info.release != nil && info.pageSize != nil && info.symbol("swapper_pg_dir") != nil, "\(name)")
    }
    for name in ["symbol", "module", "address", "bare"] {
      let text = String(decoding: try Self.file("query/\(name)"), as: UTF8.self)
      #expect(throws: Never.self, "\(text)") { try Query(text) }
    }
    let map = try SystemMap(path: Self.folder.appendingPathComponent("map/plain").path, text: nil)
    #expect(map.symbol(named: "_stext")?.address == 0xffff_8000_0801_0000)
  }
}
