/// The source of a fact. Code branches on the case; its description is for people.
package enum Provenance: Hashable, Sendable {
  /// An override, with the caller's name for it.
  case override(KernelOverrides.Fact, name: String)
  /// The line of VMCOREINFO with this key; `origin` names the substitute if the kernel wrote no VMCOREINFO.
  case vmcoreinfo(key: String, origin: String)
  /// A variable of the kernel, by its symbol.
  case variable(String)
  /// The page tables, with an explanation.
  case tables(String)
  /// The messages of the kernel's log.
  case log
  /// Another fact, and how this one follows from it, such as "minus kimage_voffset".
  indirect case derived(from: Provenance, String)
  /// Anything else, as text.
  case reason(String)
}

extension Provenance: CustomStringConvertible {
  /// The source as text, such as "VMCOREINFO NUMBER(VA_BITS)".
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
  /// A reason as text.
  package init(stringLiteral words: String) { self = .reason(words) }
}

/// A value and its source.
public struct Sourced<Value: Sendable>: Sendable {
  /// The value.
  public let value: Value
  /// Its source.
  package let provenance: Provenance
  /// Its source as text.
  public var source: String { provenance.description }

  /// Makes a value with its source.
  package init(_ value: Value, _ provenance: Provenance) {
    self.value = value
    self.provenance = provenance
  }

  /// Whether it is an override.
  var isOverride: Bool {
    if case .override = provenance { true } else { false }
  }
}

extension Sourced: Equatable where Value: Equatable {}
