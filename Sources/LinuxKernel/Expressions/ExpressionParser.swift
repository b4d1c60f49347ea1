import DebugInfo

/// Parses C expressions without side effects: no assignments, no calls.
struct ExpressionParser {
  private let tokens: [Token]
  private let isTypedef: (String) -> Bool
  private var at = 0
  private var depth = 0
  /// In `a ? b : c` and in slices a colon is not part of a name.
  private var colons = 0

  /// The precedence levels of binary operators, lowest first. (C11 6.5)
  private static let levels: [[String]] = [
    ["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<", ">", "<=", ">="], ["<<", ">>"], ["+", "-"],
    ["*", "/", "%"],
  ]

  /// - Parameter isTypedef: whether a name is a typedef, which decides whether `(name)` is a cast.
  static func parse(
    _ text: String, isTypedef: @escaping (String) -> Bool
  ) throws(ExpressionFailure) -> Syntax {
    var parser = ExpressionParser(tokens: try Lexer.tokens(text), isTypedef: isTypedef)
    if parser.token.kind == .end { throw ExpressionFailure("nothing is asked: give an expression, such as jiffies") }
    let syntax = try parser.expression()
    switch parser.token.kind {
    case .end: return syntax
    case .sign("="), .sign("+="), .sign("-="), .sign("++"), .sign("--"):
      throw parser.wrong("a dump is only read: an expression cannot assign")
    case .sign(","): throw parser.wrong("give several expressions as several arguments")
    case .sign(")"), .sign("]"), .sign("}"): throw parser.wrong("nothing was opened that this closes")
    default: throw parser.wrong("an operator is missing before this")
    }
  }

  private init(tokens: [Token], isTypedef: @escaping (String) -> Bool) {
    self.tokens = tokens
    self.isTypedef = isTypedef
  }

  // MARK: - Tokens

  private var token: Token { tokens[min(at, tokens.count - 1)] }
  private func token(ahead count: Int) -> Token { tokens[min(at + count, tokens.count - 1)] }
  private var end: Int { at > 0 ? tokens[at - 1].range.upperBound : 0 }

  private func wrong(_ message: String) -> ExpressionFailure {
    ExpressionFailure(message, at: token.range.isEmpty ? max(0, end - 1)..<max(end, 0) : token.range)
  }

  private func isSign(_ sign: String) -> Bool { token.kind == .sign(sign) }

  private mutating func take(_ sign: String) -> Bool {
    guard isSign(sign) else { return false }
    at += 1
    return true
  }

  private mutating func expect(_ sign: String, _ opened: Range<Int>? = nil) throws(ExpressionFailure) {
    if take(sign) { return }
    if token.kind == .end, let opened {
      throw ExpressionFailure("this is not closed: '\(sign)' is missing", at: opened)
    }
    throw wrong("'\(sign)' is expected here")
  }

  private mutating func descend() throws(ExpressionFailure) {
    depth += 1
    if depth > Limits.expressionDepth { throw wrong("an expression of more than \(Limits.expressionDepth) levels") }
  }

  // MARK: - Operators

  private mutating func expression() throws(ExpressionFailure) -> Syntax {
    try descend()
    defer { depth -= 1 }
    let condition = try binary(0)
    guard isSign("?") else { return condition }
    at += 1
    colons += 1
    let first = try expression()
    colons -= 1
    try expect(":")
    let second = try expression()
    return Syntax(
      form: .conditional(condition, first, second), range: condition.range.lowerBound..<second.range.upperBound)
  }

  private mutating func binary(_ level: Int) throws(ExpressionFailure) -> Syntax {
    guard level < Self.levels.count else { return try unary() }
    var left = try binary(level + 1)
    var count = 0
    while case .sign(let sign) = token.kind, Self.levels[level].contains(sign) {
      at += 1
      // Each adds a level of nesting.
      count += 1
      if count > Limits.expressionDepth { throw wrong("more than \(Limits.expressionDepth) operators in a row") }
      let right = try binary(level + 1)
      left = Syntax(
        form: .binary(sign, left, right), range: left.range.lowerBound..<right.range.upperBound)
    }
    return left
  }

  private mutating func unary() throws(ExpressionFailure) -> Syntax {
    try descend()
    defer { depth -= 1 }
    let start = token.range.lowerBound
    switch token.kind {
    case .sign(let sign) where ["*", "&", "-", "+", "~", "!"].contains(sign):
      at += 1
      let operand = try unary()
      return Syntax(form: .unary(sign, operand), range: start..<operand.range.upperBound)
    case .sign("&&"): throw wrong("'&&' before a value; there is no address of an address")
    case .sign("++"), .sign("--"): throw wrong("a dump is only read: an expression cannot assign")
    case .sign("(") where startsType(ahead: 1):
      let opened = token.range
      at += 1
      let type = try typeName()
      try expect(")", opened)
      if isSign("{") { throw wrong("an expression has no initialisers") }
      let operand = try unary()
      return Syntax(form: .cast(type, operand), range: start..<operand.range.upperBound)
    case .name("sizeof"): return try sizeOf(start)
    default: return try postfix()
    }
  }

  private mutating func sizeOf(_ start: Int) throws(ExpressionFailure) -> Syntax {
    at += 1
    if isSign("("), startsType(ahead: 1) {
      let opened = token.range
      at += 1
      let type = try typeName()
      try expect(")", opened)
      return Syntax(form: .sizeOfType(type), range: start..<end)
    }
    let operand = try unary()
    return Syntax(form: .sizeOf(operand), range: start..<operand.range.upperBound)
  }

  private mutating func postfix() throws(ExpressionFailure) -> Syntax {
    var value = try primary()
    let start = value.range.lowerBound
    var count = 0
    while true {
      count += 1
      if count > Limits.expressionDepth { throw wrong("more than \(Limits.expressionDepth) members in a row") }
      switch token.kind {
      case .sign("."), .sign("->"):
        let isPointer = isSign("->")
        at += 1
        guard case .name(let name) = token.kind else { throw wrong("the name of a member is expected here") }
        let range = token.range
        at += 1
        value = Syntax(
          form: .member(value, name, isPointer: isPointer, name: range), range: start..<range.upperBound)
      case .sign("["):
        let opened = token.range
        at += 1
        colons += 1
        let index = try expression()
        let last = take(":") || take("...") ? try expression() : nil
        colons -= 1
        try expect("]", opened)
        value = Syntax(form: last.map { .slice(value, index, $0) } ?? .indexed(value, index), range: start..<end)
      case .sign("("): throw wrong("an expression calls no functions")
      case .sign("++"), .sign("--"): throw wrong("a dump is only read: an expression cannot assign")
      default: return value
      }
    }
  }

  private mutating func primary() throws(ExpressionFailure) -> Syntax {
    let first = token
    switch first.kind {
    case .number(let value, let isUnsigned, let isLong):
      at += 1
      return Syntax(form: .number(value, isUnsigned: isUnsigned, isLong: isLong), range: first.range)
    case .sign("("):
      at += 1
      let outer = colons
      colons = 0
      let inner = try expression()
      colons = outer
      try expect(")", first.range)
      return Syntax(form: inner.form, range: first.range.lowerBound..<end)
    case .name(let name):
      at += 1
      switch name {
      case "offsetof", "container_of", "per_cpu", "per_cpu_ptr":
        guard isSign("(") else { throw wrong("'(' is expected behind '\(name)'") }
        return try builtin(name, first.range.lowerBound)
      case "struct", "union", "enum":
        at -= 1
        let type = try typeName()
        throw ExpressionFailure(
          "a type is no value; (\(type.base) *)ADDRESS points to one", at: type.range)
      default: return try symbol(name, first.range)
      }
    case .end: throw wrong("the expression ends too early: a value is missing behind this")
    default: throw wrong("a value is expected here")
    }
  }

  /// A symbol with its module or CPU, if given.
  private mutating func symbol(_ text: String, _ range: Range<Int>) throws(ExpressionFailure) -> Syntax {
    var name = text
    var module: String?
    var range = range
    if colons == 0, isSign(":"), token.range.lowerBound == range.upperBound,
      token(ahead: 1).range.lowerBound == token.range.upperBound
    {
      switch token(ahead: 1).kind {
      case .name(let inner):
        module = name
        name = inner
        at += 2
      case .number(let cpu, _, _):
        at += 2
        return Syntax(form: .name(name, module: nil, cpu: Int(clamping: cpu)), range: range.lowerBound..<end)
      default: break
      }
      range = range.lowerBound..<end
    }
    guard let sign = name.firstIndex(of: "@") else {
      return Syntax(form: .name(name, module: module, cpu: nil), range: range)
    }
    let place = name[name.index(after: sign)...]
    guard place.hasPrefix("cpu"), let cpu = Int(place.dropFirst(3)), cpu >= 0 else {
      throw ExpressionFailure("'@\(place)' is not a CPU: give NAME@cpuN", at: range)
    }
    return Syntax(form: .name(String(name[..<sign]), module: module, cpu: cpu), range: range)
  }

  private mutating func builtin(_ name: String, _ start: Int) throws(ExpressionFailure) -> Syntax {
    let opened = token.range
    try expect("(")
    let form: Syntax.Form
    switch name {
    case "offsetof":
      let type = try typeName()
      try expect(",")
      form = .offsetOf(type, try memberPath())
    case "container_of":
      let pointer = try expression()
      try expect(",")
      let type = try typeName()
      try expect(",")
      form = .containerOf(pointer, type, try memberPath())
    default:
      let variable = try expression()
      try expect(",")
      form = .perCPU(variable, try expression(), isPointer: name == "per_cpu_ptr")
    }
    try expect(")", opened)
    return Syntax(form: form, range: start..<end)
  }

  private mutating func memberPath() throws(ExpressionFailure) -> MemberSyntax {
    let start = token.range.lowerBound
    var steps: [MemberSyntax.Step] = []
    repeat {
      guard case .name(let name) = token.kind else { throw wrong("the name of a member is expected here") }
      steps.append(.member(name, token.range))
      at += 1
      while isSign("[") {
        let opened = token.range
        at += 1
        steps.append(.index(try expression()))
        try expect("]", opened)
      }
      if steps.count > Limits.expressionDepth { throw wrong("more than \(Limits.expressionDepth) members in a row") }
    } while take(".")
    return MemberSyntax(steps: steps, range: start..<end)
  }

  // MARK: - Types

  private static let qualifiers: Set<String> = [
    "const", "volatile", "restrict", "_Atomic", "__user", "__percpu", "__iomem",
  ]
  private static let words: Set<String> = [
    "void", "char", "short", "int", "long", "signed", "unsigned", "float", "double", "_Bool", "__int128",
  ]

  /// Whether a type name begins `count` tokens ahead.
  private func startsType(ahead count: Int) -> Bool {
    guard case .name(let name) = token(ahead: count).kind else { return false }
    if ["struct", "union", "enum"].contains(name) || Self.words.contains(name) || Self.qualifiers.contains(name) {
      return true
    }
    // `(name *)` is not an expression; `(name)` may be one.
    var next = count + 1
    while token(ahead: next).kind == .sign("*") { next += 1 }
    guard token(ahead: next).kind == .sign(")") else { return false }
    return next > count + 1 || isTypedef(name)
  }

  /// A type name; the only declarators are `*` and an array length.
  private mutating func typeName() throws(ExpressionFailure) -> TypeSyntax {
    let start = token.range.lowerBound
    var words: [String] = []
    var space: TypeName.Space?
    var name: String?
    while case .name(let word) = token.kind {
      if Self.qualifiers.contains(word) {
      } else if let tag = TypeName.Space(rawValue: word), tag != .ordinary, space == nil, words.isEmpty, name == nil {
        space = tag
        at += 1
        while case .name(let word) = token.kind, Self.qualifiers.contains(word) { at += 1 }
        guard case .name(let word) = token.kind else { throw wrong("the name of a type is expected here") }
        name = word
      } else if space == nil, Self.words.contains(word), name == nil {
        words.append(word)
      } else if words.isEmpty, name == nil {
        name = word
      } else {
        break
      }
      at += 1
    }
    let base: TypeName
    if let name {
      base = TypeName(space, name)
    } else {
      guard !words.isEmpty else { throw wrong("a type is expected here") }
      guard let spelling = Self.spelling(words) else {
        throw ExpressionFailure("'\(words.joined(separator: " "))' is not a type", at: start..<end)
      }
      base = TypeName(.ordinary, spelling)
    }
    var pointers = 0
    while true {
      if take("*") {
        pointers += 1
        if pointers > Limits.expressionDepth { throw wrong("more than \(Limits.expressionDepth) levels of pointers") }
      } else if case .name(let word) = token.kind, Self.qualifiers.contains(word) {
        at += 1
      } else {
        break
      }
    }
    if isSign("(") { throw wrong("a function type cannot be written here; use void *") }
    var count: Int?
    if isSign("[") {
      let opened = token.range
      at += 1
      guard case .number(let length, _, _) = token.kind, length <= UInt64(Limits.expressionElements) else {
        throw wrong("the length of an array is a number up to \(Limits.expressionElements)")
      }
      at += 1
      try expect("]", opened)
      count = Int(length)
    }
    return TypeSyntax(base: base, pointers: pointers, count: count, range: start..<end)
  }

  /// The canonical spelling of `words`, in any order: "long unsigned int" is "unsigned long".
  private static func spelling(_ words: [String]) -> String? {
    var counts: [String: Int] = [:]
    for word in words { counts[word, default: 0] += 1 }
    let isUnsigned = counts.removeValue(forKey: "unsigned").map { $0 == 1 }
    let isSigned = counts.removeValue(forKey: "signed").map { $0 == 1 }
    guard isUnsigned ?? true, isSigned ?? true, isUnsigned == nil || isSigned == nil else { return nil }
    let sign = isUnsigned != nil ? "unsigned " : ""
    let ints = counts.removeValue(forKey: "int") ?? 0
    guard ints <= 1 else { return nil }
    switch (counts, ints) {
    case ([:], _): return ints == 0 && isUnsigned == nil && isSigned == nil ? nil : sign + "int"
    case (["char": 1], 0): return isSigned != nil ? "signed char" : sign + "char"
    case (["short": 1], _): return sign + "short"
    case (["long": 1], _): return sign + "long"
    case (["long": 2], _): return sign + "long long"
    case (["__int128": 1], 0): return sign + "__int128"
    case (["void": 1], 0) where isUnsigned == nil && isSigned == nil: return "void"
    case (["_Bool": 1], 0) where isUnsigned == nil && isSigned == nil: return "_Bool"
    case (["float": 1], 0) where isUnsigned == nil && isSigned == nil: return "float"
    case (["double": 1], 0) where isUnsigned == nil && isSigned == nil: return "double"
    default: return nil
    }
  }
}
