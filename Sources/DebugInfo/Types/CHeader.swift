/// Writes types as a C header that compiles for AArch64 with the same sizes and offsets.
///
/// Each type follows its dependencies: complete if it contains them, by name if it points to them. Anonymous types are
/// written where they are used.
package final class CHeader {
  /// The header so far.
  package private(set) var text = ""
  /// The number of types defined.
  package private(set) var count = 0
  /// The number of records written as plain bytes, since no C declaration yields their layout.
  package private(set) var opaque = 0
  /// Whether types were left out, since they depend on each other in too long a chain or there are too many.
  package private(set) var isCutShort = false

  private var names = CHeaderNames()
  private var planner = CRecordPlanner()
  /// The types defined, or being defined.
  private var defined: Set<TypeKey> = []
  private var declared: Set<String> = []
  private var room: Int
  private var indent = 0

  /// Begins a header of at most about `room` bytes with `comment`.
  package init(_ comment: String, room: Int = Limits.headerBytes) {
    self.room = room
    text = """
      /* \(comment.replacing("*/", with: "* /")) */
      #ifndef __VMLINUX_H__
      #define __VMLINUX_H__

      #if defined(__bpf__) && !defined(BPF_NO_PRESERVE_ACCESS_INDEX)
      #pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
      #endif

      """
  }

  /// Ends the header.
  package func end() {
    text += """

      #if defined(__bpf__) && !defined(BPF_NO_PRESERVE_ACCESS_INDEX)
      #pragma clang attribute pop
      #endif

      #endif

      """
  }

  /// Defines `types` and their dependencies. Of several with one name the first keeps it, and the others get a number
  /// appended.
  package func add(_ types: [CType]) {
    // The first keeps the name; a structure before an enumeration, as in look-ups.
    for type in types {
      if case .record(let record) = type.shape, type.isNamed { _ = names.tag(of: record) }
    }
    for type in types {
      switch type.shape {
      case .enumeration(let enumeration) where type.isNamed: _ = names.tag(of: enumeration)
      case .typedef(let name, _): if let key = type.key { _ = names.typedef(name, key) }
      default: break
      }
    }
    for type in types where type.isNamed { need(type, whole: true, depth: 0) }
    // Anonymous enumerations that no type uses: the others have been written where they are used.
    for type in types {
      guard case .enumeration(let enumeration) = type.shape, enumeration.name.isEmpty, enumeration.isComplete,
        !defined.contains(enumeration.key)
      else { continue }
      add("\n" + guarded(enumeration, definition(of: enumeration, "enum") + ";\n"))
    }
  }

  private func add(_ words: String) { text += words }

  /// Uses up `bytes` of the room; false once there is none.
  private func take(_ bytes: Int) -> Bool {
    room -= bytes
    if room < 0 { isCutShort = true }
    return room >= 0
  }

  // MARK: - Order

  /// Writes what must come before a use of `type`, and `type` itself if it has a name; `whole` if its size is used.
  private func need(_ type: CType, whole: Bool, depth: Int) {
    guard depth < Limits.headerDepth, take(8) else { return isCutShort = true }
    switch type.shape {
    case .typedef(let name, let target):
      guard let key = type.key else { return }
      if defined.insert(key).inserted {
        need(target, whole: false, depth: depth + 1)
        typedef(names.typedef(name, key), target)
      }
      if whole { need(target, whole: true, depth: depth + 1) }
    case .qualified(_, let target): need(target, whole: whole, depth: depth + 1)
    case .pointer(let target): need(target, whole: false, depth: depth + 1)
    case .array(let element, _): need(element, whole: true, depth: depth + 1)
    case .function(let function):
      need(function.result, whole: false, depth: depth + 1)
      for parameter in function.parameters { need(parameter.type, whole: false, depth: depth + 1) }
    case .record(let record): need(record, whole: whole, depth: depth)
    case .enumeration(let enumeration) where !enumeration.name.isEmpty: need(enumeration)
    case .enumeration, .integer, .floating, .void, .unknown: break
    }
  }

  private func need(_ record: CRecord, whole: Bool, depth: Int) {
    if record.name.isEmpty {
      for member in record.members { need(member.type, whole: true, depth: depth + 1) }
    } else if whole, record.isComplete {
      guard defined.insert(record.key).inserted else { return }
      for member in record.members { need(member.type, whole: true, depth: depth + 1) }
      let head = "\(record.keyword) \(names.tag(of: record))"
      count += 1
      add("\n\(definition(of: record, head));\n")
      declared.insert(head)
    } else {
      let head = "\(record.keyword) \(names.tag(of: record))"
      if declared.insert(head).inserted { add("\n\(head);\n") }
    }
  }

  private func need(_ enumeration: CEnumeration) {
    let head = "enum \(names.tag(of: enumeration))"
    guard enumeration.isComplete else {
      if declared.insert(head).inserted { add("\n\(head);\n") }
      return
    }
    guard defined.insert(enumeration.key).inserted else { return }
    declared.insert(head)
    count += 1
    add("\n" + guarded(enumeration, definition(of: enumeration, head) + ";\n"))
  }

  private func typedef(_ name: String, _ target: CType) {
    count += 1
    let line = "typedef \(declaration(of: name, target));\n"
    add("\n" + (name == "bool" ? Self.beforeC23(line) : line))
  }

  /// `true`, `false` and `bool` are keywords since C23.
  private static func beforeC23(_ text: String) -> String {
    "#if !defined(__cplusplus) && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L)\n\(text)#endif\n"
  }

  private func guarded(_ enumeration: CEnumeration, _ text: String) -> String {
    enumeration.enumerators.contains { $0.name == "true" || $0.name == "false" } ? Self.beforeC23(text) : text
  }

  // MARK: - Definitions

  private var tabs: String { String(repeating: "\t", count: indent) }

  /// A record with its members, after `head`.
  private func definition(of record: CRecord, _ head: String) -> String {
    guard indent < Limits.typeDepth, let plan = planner.plan(record) else {
      opaque += 1
      return "\(head) {\n\(tabs)\t/* its members have places that no declaration gives them */\n"
        + "\(tabs)\tunsigned char __opaque[\(record.size)];\n\(tabs)}"
    }
    var body = ""
    var gaps = 0
    indent += 1
    for piece in plan.pieces where room > 0 {
      let line: String
      switch piece {
      case .member(let member): line = self.member(member)
      case .bits(let count, let unit): line = "\(CInteger.standard(size: unit, isSigned: false)) : \(count)"
      case .bytes(let count):
        gaps += 1
        line = "unsigned char __gap\(gaps)[\(count)]"
      }
      guard take(line.utf8.count) else { break }
      body += "\(tabs)\(line);\n"
    }
    indent -= 1
    return "\(head) {\n\(body)\(tabs)}\(plan.isPacked ? " __attribute__((packed))" : "")"
  }

  private func member(_ member: CMember) -> String {
    // In C, an unnamed member must have an anonymous type.
    guard let name = member.name else {
      return member.type.record.map { definition(of: $0, $0.keyword) } ?? ""
    }
    let bits = member.bitCount.map { " : \($0)" } ?? ""
    return declaration(of: CHeaderNames.member(name), member.type) + bits
  }

  private func definition(of enumeration: CEnumeration, _ head: String) -> String {
    defined.insert(enumeration.key)
    var body = ""
    for item in enumeration.enumerators where take(item.name.utf8.count) {
      body += "\(tabs)\t\(names.enumerator(item.name)) = \(Self.literal(item.value, enumeration.isSigned)),\n"
    }
    // Enumerations have at least the size of int unless declared otherwise. (GCC manual, "Common Type Attributes")
    let modes = [1: "QI", 2: "HI", 8: "DI"]
    let mode = modes[enumeration.size].map { " __attribute__((mode(\($0))))" } ?? ""
    return "\(head) {\n\(body)\(tabs)}\(mode)"
  }

  private static func literal(_ value: Int64, _ isSigned: Bool) -> String {
    if !isSigned { return value < 0 ? "\(UInt64(bitPattern: value))ULL" : "\(value)" }
    return value == .min ? "(-\(Int64.max)LL - 1)" : "\(value)"
  }

  // MARK: - Declarations

  private func declaration(of name: String, _ type: CType) -> String {
    CDeclarator(spelling: { self.spelling($0) }, noElements: "0", namesParameters: false).declaration(of: name, type)
  }

  private func spelling(_ type: CType) -> String? {
    switch type.shape {
    case .integer(let integer): return integer.spelling
    case .floating(let name, let size): return Self.floating(name, size)
    case .record(let record):
      return record.name.isEmpty
        ? definition(of: record, record.keyword) : "\(record.keyword) \(names.tag(of: record))"
    case .enumeration(let enumeration):
      if !enumeration.name.isEmpty { return "enum \(names.tag(of: enumeration))" }
      // Its enumerators may be written only once.
      guard !defined.contains(enumeration.key) else {
        return CInteger.standard(size: enumeration.size, isSigned: enumeration.isSigned)
      }
      return definition(of: enumeration, "enum")
    case .typedef(let name, _): return type.key.map { names.typedef(name, $0) }
    case .unknown: return "void"
    case .void, .pointer, .array, .qualified, .function: return nil
    }
  }

  /// C's own floating types by name, others as an integer of their size.
  private static func floating(_ name: String, _ size: Int) -> String {
    let known = ["float": 4, "double": 8, "long double": 16]
    return known[name] == size ? name : CInteger.standard(size: size, isSigned: false)
  }
}

extension CType {
  /// Whether it gets a definition of its own in the header.
  fileprivate var isNamed: Bool {
    switch shape {
    case .record(let record): !record.name.isEmpty && record.isComplete
    case .enumeration(let enumeration): !enumeration.name.isEmpty && enumeration.isComplete
    case .typedef: true
    default: false
    }
  }
}

extension CInteger {
  /// The C integer type of this size on arm64 Linux.
  fileprivate static func standard(size: Int, isSigned: Bool) -> String {
    let names = [1: "char", 2: "short", 4: "int", 8: "long", 16: "__int128"]
    return "\(isSigned ? "signed" : "unsigned") \(names[size] ?? "char")"
  }

  /// Its name if that is a C type of that size, else a type of its size: compilers have some types of their own.
  fileprivate var spelling: String {
    let words = name.split(separator: " ").filter { $0 != "signed" && $0 != "unsigned" && $0 != "int" }
    let known: Int? =
      switch words {
      case ["char"]: 1
      case ["short"]: 2
      case []: name.isEmpty ? nil : 4
      case ["long"], ["long", "long"]: 8
      case ["__int128"]: 16
      case ["_Bool"]: name == "_Bool" ? 1 : nil
      default: nil
      }
    return known == size ? name : isBool && size == 1 ? "_Bool" : Self.standard(size: size, isSigned: isSigned)
  }
}
