import DebugInfo
import Foundation
import TestSupport
import Testing

/// The symbol table of a real vmlinux, asked by itself, against the names that the running kernel listed.
@Suite struct ELFSymbolTableTests {
  @Test("Names of every length are found, and no others")
  func names() throws {
    let entry = try DumpEntry.named("c612-64k52")
    let offset = try entry.facts().kaslrOffset
    let table = try ELFSymbolTable(ELFImage(path: entry.path("vmlinux")), slide: offset)
    let kallsyms = try entry.kallsyms()
    let text = try #require(kallsyms["_text"])
    let end = try #require(kallsyms["_end"])
    let named = kallsyms.filter { (text..<end).contains($0.value) }
    let byLength = Dictionary(grouping: named.keys.sorted(), by: \.utf8.count)
    for length in 3...16 {
      let names = try #require(byLength[length], "no name of \(length) letters").prefix(3)
      for name in names {
        #expect(table.symbol(named: name)?.address == named[name], "\(name)")
        // A name that begins or ends so is another.
        for other in [String(name.dropLast()), name + "_no", "no_" + name] where named[other] == nil {
          #expect(table.symbol(named: other).map { kallsyms[other] == $0.address } ?? true, "\(other)")
        }
      }
    }
    #expect(table.symbol(named: "") == nil)
  }
}
