/// A name that the kernel, a module or a debug file gives to an address.
public struct Symbol: Hashable, Sendable {
  /// The name.
  public let name: String
  /// Its address in the running kernel, KASLR included.
  public let address: UInt64
  /// Its size in bytes; 0 if the source does not know it.
  public let size: UInt64
  /// Its type letter, as in nm(1) and /proc/kallsyms; nil if the source has none.
  public let type: UInt8?
  /// Its module; nil for the kernel itself.
  public let module: String?

  /// Makes a symbol.
  package init(name: String, address: UInt64, size: UInt64 = 0, type: UInt8? = nil, module: String? = nil) {
    self.name = name
    self.address = address
    self.size = size
    self.type = type
    self.module = module
  }
}

/// A source of symbols: kallsyms in the dump, a vmlinux, VMCOREINFO.
package protocol SymbolSource: Sendable {
  /// Its description for `info`.
  var origin: String { get }
  /// Whether it was found at all: a source searched for in the dump may be absent.
  var isPresent: Bool { get }
  /// The symbol of exactly this name.
  func symbol(named name: String) -> Symbol?
  /// The symbol that `address` lies in: the nearest at or below it.
  func symbol(containing address: UInt64) -> Symbol?
  /// Calls `body` with each symbol, in any order, until it returns false.
  func forEachSymbol(_ body: (Symbol) -> Bool)
  /// The addresses of the known ones of `names`, by index in `names`: cheaper than one by one.
  func addresses(of names: [String]) -> [Int: UInt64]
}

extension SymbolSource {
  /// By default a source is present.
  package var isPresent: Bool { true }

  /// Looks the names up one by one.
  package func addresses(of names: [String]) -> [Int: UInt64] {
    var result: [Int: UInt64] = [:]
    for (number, name) in names.enumerated() { result[number] = symbol(named: name)?.address }
    return result
  }
}
