import Bytes
import Synchronization

/// The kernel's own symbol table in a dump, looked up in place, token by token.
///
///     token_table: "cpu_\0str\0...0\0..."      token_index: 0, 5, 9, ...
///     names:       length | token token ...    the first letter of a name is its type
///
/// An address is found by bisection and one block of names. So is a name, if the kernel has a valid order of names;
/// else by one pass that compares tokens and mostly fails at the first, or, after many look-ups, by an index.
///
/// If memory was overwritten, names could be those of other symbols. So a block of names is used only if it ends at the
/// next marker, and addresses only if they ascend. (kernel/kallsyms.c, scripts/kallsyms.c)
package final class Kallsyms<Space: ByteSource>: SymbolSource {
  /// What it is, for `info`.
  package var origin: String { "kallsyms in the dump" }
  /// The number of symbols.
  package var count: Int { tables.count }
  /// The end of all tables except the sequence numbers: here ends the kernel's read-only data without sections of its
  /// own, and the export tables and BTF, among others, follow. (include/asm-generic/vmlinux.lds.h, `RO_DATA`)
  package var end: UInt64 {
    let size = UInt64(tables.addresses.entrySize)
    return max(tables.tokenIndex &+ 512, tables.addresses.table &+ UInt64(tables.count) &* size)
  }

  private let tables: KallsymsTables
  private let names: KallsymsNameTable<Space>
  private let order: KallsymsNameOrder<Space>
  private let addresses: Lazy<KallsymsAddresses?>
  private let index: Lazy<NameIndex>
  /// The number of names looked up by a pass over all.
  private let passes = Atomic<Int>(0)

  /// Names looked up by a pass each before an index is built, which takes as long as some tens of passes.
  private static var passesBeforeIndex: Int { 16 }

  /// Reads the small tables and checks that they agree with each other.
  ///
  /// - Returns: nil if they are unreadable or malformed.
  package init?(_ tables: KallsymsTables, in space: Space) {
    guard let names = KallsymsNameTable(tables, in: space) else { return nil }
    self.tables = tables
    self.names = names
    order = KallsymsNameOrder(tables, names, in: space)
    index = Lazy {
      NameIndex { add in
        names.forEach { number, stored in
          add(names.tokens.hash(stored), number)
          return true
        }
      }
    }
    addresses = Lazy { KallsymsAddresses(tables, in: space) }
  }

  /// What is damaged in the tables, as text; nil if nothing is.
  package var damage: String? {
    guard let lostNames = names.lost, let addresses = addresses.value else {
      return "kallsyms is damaged: the names or the addresses of all symbols are not in the dump"
    }
    let lost = lostNames + addresses.lost.count
    return lost == 0 ? nil : "kallsyms is damaged: the names or addresses of \(lost) symbols were overwritten"
  }

  private func symbol(_ number: Int, _ addresses: KallsymsAddresses) -> Symbol? {
    guard !addresses.lost.contains(number), let name = names.name(number) else { return nil }
    return symbol(number, addresses, name, next: addresses.next(after: number))
  }

  private func symbol(_ number: Int, _ addresses: KallsymsAddresses, _ stored: KallsymsName, next: Int) -> Symbol {
    let (type, name) = names.tokens.expand(stored)
    return Symbol(
      name: name, address: addresses[number], size: addresses.size(of: number, next: next), type: type)
  }

  private func number(named name: [UInt8]) -> Int? {
    if let found = order.number(named: name) { return found }
    if passes.load(ordering: .relaxed) >= Self.passesBeforeIndex {
      return index.value.first(name) { number in
        names.name(number).map { names.tokens.compare($0, name) == 0 } ?? false
      }
    }
    passes.wrappingAdd(1, ordering: .relaxed)
    var result: Int?
    names.forEach { number, stored in
      if names.tokens.compare(stored, name) == 0 { result = number }
      return result == nil
    }
    return result
  }

  /// Whether it has an order of names, by which one is found without a pass.
  package var isOrdered: Bool { order.isKnown }

  // MARK: - SymbolSource

  /// The first symbol of this name.
  package func symbol(named name: String) -> Symbol? {
    guard let number = number(named: Array(name.utf8)), let addresses = addresses.value else { return nil }
    return symbol(number, addresses)
  }

  /// The addresses of the known ones of `names`; without an order of names, in one pass that skips names of other
  /// lengths.
  package func addresses(of names: [String]) -> [Int: UInt64] {
    guard let addresses = addresses.value else { return [:] }
    var wanted = names.enumerated().map { (place: $0.offset, name: Array($0.element.utf8)) }
    var result: [Int: UInt64] = [:]
    if order.isKnown {
      for (place, name) in wanted {
        guard let number = number(named: name), !addresses.lost.contains(number) else { continue }
        result[place] = addresses[number]
      }
      return result
    }
    let tokens = self.names.tokens
    // A name follows its type letter.
    var lengths = Set(wanted.map { $0.name.count + 1 })
    self.names.forEach { number, stored in
      guard lengths.contains(tokens.length(stored)),
        let match = wanted.firstIndex(where: { tokens.compare(stored, $0.name) == 0 })
      else { return true }
      if !addresses.lost.contains(number) { result[wanted[match].place] = addresses[number] }
      wanted.remove(at: match)
      lengths = Set(wanted.map { $0.name.count + 1 })
      return !wanted.isEmpty
    }
    return result
  }

  /// Whether one of the symbols at `address` has this name.
  package func has(_ name: String, at address: UInt64) -> Bool {
    guard let addresses = addresses.value, var number = addresses.first(atOrBelow: address) else { return false }
    let wanted = Array(name.utf8)
    while number < count, addresses[number] == address {
      guard let stored = names.name(number) else { return false }
      if names.tokens.compare(stored, wanted) == 0 { return true }
      number += 1
    }
    return false
  }

  /// The nearest symbol at or below `address`; of several at one address the first, as in the kernel.
  package func symbol(containing address: UInt64) -> Symbol? {
    guard let addresses = addresses.value, let number = addresses.first(atOrBelow: address),
      let symbol = symbol(number, addresses)
    else { return nil }
    let isText = symbol.type.map { "tTwW".utf8.contains($0) } ?? false
    let limit = symbol.size == 0 || isText ? Limits.longestFunction : symbol.size
    return address &- symbol.address < limit ? symbol : nil
  }

  /// All symbols, in address order.
  package func forEachSymbol(_ body: (Symbol) -> Bool) {
    guard let addresses = addresses.value else { return }
    // Symbols at one address share the next one.
    var next = 0
    names.forEach { number, stored in
      guard !addresses.lost.contains(number) else { return true }
      if next <= number { next = addresses.next(after: number) }
      return body(symbol(number, addresses, stored, next: next))
    }
  }
}
