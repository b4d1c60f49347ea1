/// Where a fact is from. Code branches on the case; its description is for people.
package enum Provenance: Hashable, Sendable {
  /// The caller gave the fact instead of what the dump says, and calls it by this name.
  case override(KernelOverrides.Fact, name: String)
  /// The line of VMCOREINFO with this key; `origin` is what stands in for VMCOREINFO where the kernel wrote none.
  case vmcoreinfo(key: String, origin: String)
  /// A variable of the kernel, by its symbol.
  case variable(String)
  /// What the page tables show, in words.
  case tables(String)
  /// The messages of the kernel's log.
  case log
  /// Another fact, and what was done with it, such as "minus kimage_voffset".
  indirect case derived(from: Provenance, String)
  /// Anything else, in words.
  case reason(String)
}

extension Provenance: CustomStringConvertible {
  /// The source in words, such as "VMCOREINFO NUMBER(VA_BITS)".
  package var description: String {
    switch self {
    case .override(_, let name): name
    case .vmcoreinfo(let key, let origin): "\(origin) \(key)"
    case .variable(let name): "the variable \(name)"
    case .tables(let words), .reason(let words): words
    case .log: "the kernel's log"
    case .derived(let source, let rule): "\(source) \(rule)"
    }
  }
}

extension Provenance: ExpressibleByStringInterpolation {
  /// A reason in words.
  package init(stringLiteral words: String) { self = .reason(words) }
}

/// A value and where it is from.
public struct Sourced<Value: Sendable>: Sendable {
  /// The value.
  public let value: Value
  /// Where it is from.
  package let provenance: Provenance
  /// Where it is from, in words.
  public var source: String { provenance.description }

  /// Joins a value with its source.
  package init(_ value: Value, _ provenance: Provenance) {
    self.value = value
    self.provenance = provenance
  }

  /// Whether the caller gave it instead of what the dump says.
  var isOverride: Bool {
    if case .override = provenance { true } else { false }
  }
}

extension Sourced: Equatable where Value: Equatable {}
