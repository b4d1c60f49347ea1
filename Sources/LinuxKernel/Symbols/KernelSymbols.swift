import Bytes
import DebugInfo

/// The symbols in VMCOREINFO: few, and without sizes, so they name only exact addresses.
struct VMCoreInfoSymbols: SymbolSource {
  let origin: String
  private let symbols: [Symbol]

  /// `mem_section` and `vmemmap` are given by value, not by address (`VMCOREINFO_SYMBOL_ARRAY`, kernel/vmcore_info.c;
  /// arch/arm64/kernel/vmcore_info.c, 6.9).
  init(_ vmcoreinfo: VMCoreInfo) {
    origin = vmcoreinfo.origin
    symbols = vmcoreinfo.symbols
      .filter { $0.name != "mem_section" && $0.name != "vmemmap" }
      .map { Symbol(name: $0.name, address: $0.value, size: 1) }
  }

  func symbol(named name: String) -> Symbol? { symbols.first { $0.name == name } }
  func symbol(containing address: UInt64) -> Symbol? { symbols.first { $0.address == address } }
  func forEachSymbol(_ body: (Symbol) -> Bool) {
    for symbol in symbols where !body(symbol) { return }
  }
}

/// All known symbols of a kernel, from sources in the order they are searched.
package struct KernelSymbols: Sendable {
  /// The sources, the most informative first.
  package let sources: [any SymbolSource]
  /// The kernel's exports: searched only for names that nothing else knows.
  let exports: ExportTable?
  /// Objects recognised by their contents, without a symbol.
  let recognised: (any SymbolSource)?

  init(sources: [any SymbolSource], exports: ExportTable? = nil, recognised: (any SymbolSource)? = nil) {
    self.sources = sources
    self.exports = exports
    self.recognised = recognised
  }

  /// The symbol of exactly this name.
  package func symbol(named name: String) -> Symbol? {
    for source in sources {
      if let symbol = source.symbol(named: name) { return symbol }
    }
    return exports?.symbol(named: name) ?? recognised?.symbol(named: name)
  }

  /// The addresses of the known ones of `names`, cheaper than one by one. Names known only from exports are not
  /// included.
  func addresses(of names: [String]) -> [String: UInt64] {
    var result: [String: UInt64] = [:]
    for source in sources {
      let missing = names.filter { result[$0] == nil }
      guard !missing.isEmpty else { break }
      for (number, address) in source.addresses(of: missing) { result[missing[number]] = address }
    }
    return result
  }

  /// Calls `body` with each symbol of the most complete source, until it returns false.
  package func forEachSymbol(_ body: (Symbol) -> Bool) {
    // Every other source includes VMCOREINFO's few names. A kallsyms with only functions has less than a file.
    let kallsyms = sources.first { ($0 as? KernelKallsyms)?.namesData ?? false }
    for source in (kallsyms.map { [$0] } ?? []) + sources.reversed() where !(source is VMCoreInfoSymbols) {
      var isEmpty = true
      source.forEachSymbol { symbol in
        isEmpty = false
        return body(symbol)
      }
      if !isEmpty { return }
    }
    sources.first?.forEachSymbol(body)
  }

  /// Notes on missing symbols of the kernel itself.
  package var notes: [Diagnostic] {
    for case let kallsyms as KernelKallsyms in sources where kallsyms.isPresent {
      return kallsyms.damage.map { [Diagnostic(.kallsymsDamaged, $0)] } ?? []
    }
    guard sources.allSatisfy({ $0 is KernelKallsyms || $0 is VMCoreInfoSymbols }) else { return [] }
    return [
      Diagnostic(.kallsymsMissing, "no kallsyms was found in the dump: it is not there, or damaged")
    ]
  }

  /// The symbol that `address` lies in.
  package func symbol(containing address: UInt64) -> Symbol? {
    for source in sources {
      if let symbol = source.symbol(containing: address) { return symbol }
    }
    return nil
  }

  /// The sources in use, in the order they are searched.
  package var origins: [String] {
    let present = sources.filter(\.isPresent).map(\.origin)
    // A kallsyms with only functions is complemented by the kernel's exports.
    let lacksData = sources.contains { ($0 as? KernelKallsyms).map { !$0.namesData } ?? false }
    guard lacksData else { return present }
    return present + (exports.flatMap { $0.isPresent ? [$0.origin] : nil } ?? [])
      + (recognised.flatMap { $0.isPresent ? [$0.origin] : nil } ?? [])
  }

  /// Calls `body` with each name of each source, some more than once.
  func forEachName(_ body: (String) -> Void) {
    for source in sources {
      source.forEachSymbol { symbol in
        body(symbol.name)
        return true
      }
    }
  }
}

/// The names that the user may have meant: those that differ by a letter or two, then those that begin with what was
/// typed.
struct NameSuggestions {
  private let wanted: String
  private let limit: Int
  private var found: [(rank: Int, name: String)] = []

  init(_ wanted: String) {
    self.wanted = wanted
    // In a name of three letters, two differences are too many.
    limit = wanted.utf8.count < 4 ? 2 : 3
  }

  /// At most `Limits.suggestions` names, the likeliest first.
  var best: [String] { found.map(\.name) }

  /// Keeps `name` if it is among the likeliest.
  mutating func consider(_ name: String) {
    let distance = SpellingDistance.between(wanted, name, limit: limit)
    guard distance < limit || !wanted.isEmpty && name.utf8.starts(with: wanted.utf8) else { return }
    // Of the longer names, the shortest first.
    let rank = distance < limit ? distance : limit + name.utf8.count
    guard distance > 0, rank < found.last?.rank ?? .max || found.count < Limits.suggestions,
      !found.contains(where: { $0.name == name })
    else { return }
    found.append((rank, name))
    found.sort { ($0.rank, $0.name) < ($1.rank, $1.name) }
    found.removeLast(max(0, found.count - Limits.suggestions))
  }
}

/// The edit distance of two names.
enum SpellingDistance {
  /// The Levenshtein distance, or `limit` if it is that or more. Case is ignored.
  static func between(_ a: String, _ b: String, limit: Int) -> Int {
    let first = a.utf8.map { $0 | 0x20 }
    let second = b.utf8.map { $0 | 0x20 }
    guard abs(first.count - second.count) < limit, first.count < 256 else { return limit }
    var previous = Array(0...second.count)
    for (row, letter) in first.enumerated() {
      var current = [row + 1]
      for (column, other) in second.enumerated() {
        current.append(
          min(previous[column] + (letter == other ? 0 : 1), previous[column + 1] + 1, current[column] + 1))
      }
      guard let least = current.min(), least < limit else { return limit }
      previous = current
    }
    return min(previous[second.count], limit)
  }
}
