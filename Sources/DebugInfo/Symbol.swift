/// A name that the kernel, a module or a debug file gives to an address.
public struct Symbol: Hashable, Sendable {
  /// The name.
  public let name: String
  /// Where it stands in the running kernel: KASLR included.
  public let address: UInt64
  /// Its length in bytes, where the source knows it; 0 if it does not.
  public let size: UInt64
  /// The letter that nm(1) and /proc/kallsyms give its kind; nil if the source has none.
  public let type: UInt8?
  /// The module it is of; nil for the kernel itself.
  public let module: String?

  /// Puts a symbol together.
  package init(name: String, address: UInt64, size: UInt64 = 0, type: UInt8? = nil, module: String? = nil) {
    self.name = name
    self.address = address
    self.size = size
    self.type = type
    self.module = module
  }
}

/// Something that knows names: kallsyms in the dump, a vmlinux, VMCOREINFO.
package protocol SymbolSource: Sendable {
  /// What it is, for `info`.
  var origin: String { get }
  /// Whether it was found at all: a source that is searched for in a dump may be absent.
  var isPresent: Bool { get }
  /// The symbol of exactly this name.
  func symbol(named name: String) -> Symbol?
  /// The symbol that `address` lies in: the nearest at or below it.
  func symbol(containing address: UInt64) -> Symbol?
  /// Calls `body` with each symbol, in any order, until it returns false.
  func forEachSymbol(_ body: (Symbol) -> Bool)
  /// The addresses of those of `names` that are known, by their place in `names`: cheaper than one by one.
  func addresses(of names: [String]) -> [Int: UInt64]
}

extension SymbolSource {
  /// A source that was given is present.
  package var isPresent: Bool { true }

  /// Looks up one after another.
  package func addresses(of names: [String]) -> [Int: UInt64] {
    var result: [Int: UInt64] = [:]
    for (number, name) in names.enumerated() { result[number] = symbol(named: name)?.address }
    return result
  }
}
