import Bytes
import DebugInfo

/// Evaluates C expressions over the memory of a dump.
package struct Evaluator: Sendable {
  let context: KernelContext
  let names: KernelNames
  let modules: LoadedModules
  let perCPU: Lazy<PerCPU?>
  let lookup: TypeLookup
  /// A name that the caller has bound to an operand.
  var substitute: (name: String, operand: Operand)?

  var memory: KernelMemory { context.memory }

  /// The operand that `text` denotes.
  package func evaluate(_ text: String) throws(ExpressionFailure) -> Operand {
    try value(of: parse(text))
  }

  /// `text` as a syntax tree.
  func parse(_ text: String) throws(ExpressionFailure) -> Syntax {
    try ExpressionParser.parse(text) { name in
      // A symbol is found without a pass over all types.
      names.kernel.symbol(named: name) == nil && graphs.contains { !$0.types(named: TypeName(.ordinary, name)).isEmpty }
    }
  }

  private var graphs: [any TypeGraph] { lookup.graphs }

  func value(of syntax: Syntax) throws(ExpressionFailure) -> Operand {
    switch syntax.form {
    case .number(let value, let isUnsigned, let isLong):
      let type: CInteger =
        isLong ? (isUnsigned ? .unsignedLong : .long) : isUnsigned ? .unsignedInt : .int
      return .number(value, .integer(type))
    case .name(let name, let module, let cpu):
      if let substitute, substitute.name == name { return substitute.operand }
      return try self.name(name, module: module, cpu: cpu, syntax.range)
    case .unary("&", let operand): return try addressOf(operand)
    case .unary("*", let operand): return try target(of: scalar(operand), operand.range)
    case .unary(let sign, let operand): return try unary(sign, scalar(operand), syntax.range).operand
    case .binary("&&", let left, let right):
      var isTrue = try scalar(left).value != 0
      if isTrue { isTrue = try scalar(right).value != 0 }
      return Scalar.integer(isTrue ? 1 : 0, .int).operand
    case .binary("||", let left, let right):
      var isTrue = try scalar(left).value != 0
      if !isTrue { isTrue = try scalar(right).value != 0 }
      return Scalar.integer(isTrue ? 1 : 0, .int).operand
    case .binary(let sign, let left, let right):
      return try binary(sign, scalar(left), scalar(right), left.range, right.range).operand
    case .conditional(let condition, let first, let second):
      return try value(of: scalar(condition).value != 0 ? first : second)
    case .member(let base, let name, let isPointer, let range):
      return try member(value(of: base), name, isPointer: isPointer, base.range, range)
    case .indexed(let base, let index):
      let (first, element, count) = try elements(of: value(of: base), base.range)
      let number = try integer(index)
      if let count, count > 1, number < 0 || number >= count {
        throw ExpressionFailure("there are elements 0 to \(count - 1)", at: index.range)
      }
      return .memory(first &+ UInt64(bitPattern: number) &* UInt64(try size(of: element, base.range)), element)
    case .slice(let base, let from, let to):
      let (first, element, count) = try elements(of: value(of: base), base.range)
      let start = try integer(from)
      let end = try integer(to)
      guard start <= end else { throw ExpressionFailure("a slice ends before it begins", at: to.range) }
      let (length, overflow) = end.subtractingReportingOverflow(start)
      guard !overflow, length <= Int64(Limits.expressionElements) else {
        throw ExpressionFailure("a slice of more than \(Limits.expressionElements) elements", at: to.range)
      }
      if let count, count > 1, start < 0 || end > count {
        throw ExpressionFailure("there are \(count) elements", at: to.range)
      }
      return .memory(
        first &+ UInt64(bitPattern: start) &* UInt64(try size(of: element, base.range)),
        .array(element, count: Int(length)))
    case .cast(let type, let operand): return try cast(operand, to: self.type(type), type.range)
    case .sizeOfType(let type):
      return .number(UInt64(try size(of: self.type(type), type.range)), .integer(.unsignedLong))
    case .sizeOf(let operand):
      let found = try value(of: operand)
      if case .memory(_, _, _?) = found.place { throw ExpressionFailure("a bit field has no size", at: operand.range) }
      return .number(UInt64(try size(of: typed(found, operand.range), operand.range)), .integer(.unsignedLong))
    case .offsetOf(let type, let path):
      return .number(UInt64(try offset(path, in: self.type(type), type.range)), .integer(.unsignedLong))
    case .containerOf(let pointer, let type, let path):
      let container = try self.type(type)
      let offset = try offset(path, in: container, type.range)
      return .number(try scalar(pointer).value &- UInt64(offset), .pointer(container))
    case .perCPU(let variable, let cpu, let isPointer):
      return try perCPU(variable, cpu, isPointer: isPointer)
    }
  }

  // MARK: - Types

  /// The type that `text` names, as in a cast or a query: `task_struct`, `struct list_head *`, `u64[4]`.
  package func type(_ text: String) throws(ExpressionFailure) -> CType {
    if case .success(let types) = lookup.types(text) { return types[0] }
    let before = "sizeof("
    do throws(ExpressionFailure) {
      let syntax = try parse("\(before)\(text))")
      if case .sizeOfType(let named) = syntax.form { return try type(named) }
    } catch {
      let count = text.utf8.count
      let range = error.range.map { range in
        max(range.lowerBound - before.utf8.count, 0)..<min(max(range.upperBound - before.utf8.count, 0), count)
      }
      throw ExpressionFailure(error.diagnostic, at: range.flatMap { $0.isEmpty ? nil : $0 })
    }
    _ = try lookup.types(text).get()
    throw ExpressionFailure(Diagnostic(.noSuchType, text, "'\(text)' is no type"))
  }

  /// The type that `syntax` names.
  func type(_ syntax: TypeSyntax) throws(ExpressionFailure) -> CType {
    var type: CType
    if syntax.base.name == "void", syntax.base.space == .ordinary {
      type = .void
    } else if let found = lookup.types(named: syntax.base).first ?? Self.basic[syntax.base.name].map(CType.integer) {
      type = found
    } else {
      throw ExpressionFailure(lookup.unknown(syntax.base), at: syntax.range)
    }
    for _ in 0..<syntax.pointers { type = .pointer(type) }
    if let count = syntax.count { type = .array(type, count: count) }
    return type
  }

  /// The basic types, as compilers and expressions spell them.
  private static let basic: [String: CInteger] = {
    var result: [String: CInteger] = [:]
    for (names, size, isSigned) in [
      (["char"], 1, false), (["signed char"], 1, true), (["unsigned char"], 1, false),
      (["short", "short int"], 2, true), (["unsigned short", "short unsigned int"], 2, false), (["int"], 4, true),
      (["unsigned int"], 4, false), (["long", "long int"], 8, true),
      (["unsigned long", "long unsigned int"], 8, false),
      (["long long", "long long int"], 8, true), (["unsigned long long", "long long unsigned int"], 8, false),
      (["__int128"], 16, true), (["unsigned __int128"], 16, false),
    ] {
      for name in names { result[name] = CInteger(name: names[0], size: size, isSigned: isSigned) }
    }
    result["_Bool"] = CInteger(name: "_Bool", size: 1, isSigned: false, isBool: true)
    return result
  }()

  func size(of type: CType, _ range: Range<Int>) throws(ExpressionFailure) -> Int {
    if case .void = type.resolved { return 1 }
    if case .function = type.resolved { return 1 }
    guard let size = type.size else { throw ExpressionFailure("nothing defines '\(type.text)'", at: range) }
    return size
  }

  /// The type of `operand`; fails for a symbol without one.
  func typed(_ operand: Operand, _ range: Range<Int>) throws(ExpressionFailure) -> CType {
    if let type = operand.type { return type }
    let name = operand.symbol ?? "this"
    throw ExpressionFailure(
      Diagnostic(
        .typeUnknown, name, "nothing describes the type of '\(name)': cast it, as in *(TYPE *)&\(name)"), at: range)
  }

  // MARK: - Members and elements

  func member(
    _ base: Operand, _ name: String, isPointer: Bool, _ range: Range<Int>, _ nameRange: Range<Int>
  ) throws(ExpressionFailure) -> Operand {
    let type = try typed(base, range)
    var holder = base
    if case .pointer(let target) = type.resolved {
      guard isPointer else { throw ExpressionFailure("this is a pointer, '\(type.text)': use ->", at: range) }
      holder = try self.target(of: load(base, range), range)
      guard target.record != nil else {
        throw ExpressionFailure("'\(type.text)' points to no structure", at: range)
      }
    } else if isPointer, case .array(let element, _) = type.resolved, element.record != nil {
      holder = Operand(type: element, place: base.place)
    } else if isPointer {
      let advice = type.record == nil ? "" : ": use ."
      throw ExpressionFailure("this is no pointer, but '\(type.text)'\(advice)", at: range)
    }
    guard let record = holder.type?.record else {
      throw ExpressionFailure("'\(type.text)' has no members", at: range)
    }
    guard record.isComplete else {
      throw ExpressionFailure("nothing defines '\(record.keyword) \(record.name)'", at: range)
    }
    guard let found = record.member(named: name) else {
      throw ExpressionFailure(Self.unknown(name, in: record), at: nameRange)
    }
    guard case .memory(let address, let firstBit, _) = holder.place else {
      throw ExpressionFailure("this is no place in memory", at: range)
    }
    let bit = firstBit &+ found.firstBit
    if let count = found.bitCount {
      return Operand(type: found.type, place: .memory(address, firstBit: bit, bitCount: count))
    }
    return .memory(address &+ UInt64(bitPattern: Int64(bit / 8)), found.type)
  }

  static func unknown(_ name: String, in record: CRecord) -> String {
    var near = NameSuggestions(name)
    for other in record.memberNames { near.consider(other) }
    let tag = record.name.isEmpty ? "this \(record.keyword)" : "\(record.keyword) \(record.name)"
    let best = near.best
    return "\(tag) has no member '\(name)'" + (best.isEmpty ? "" : "; did you mean \(best.joined(separator: ", "))?")
  }

  /// The byte offset of a member.
  func offset(
    _ path: MemberSyntax, in type: CType, _ range: Range<Int>
  ) throws(ExpressionFailure) -> Int {
    var type = type
    var offset = 0
    for step in path.steps {
      switch step {
      case .member(let name, let nameRange):
        guard let record = type.record else { throw ExpressionFailure("'\(type.text)' has no members", at: nameRange) }
        guard let found = record.member(named: name) else {
          throw ExpressionFailure(Self.unknown(name, in: record), at: nameRange)
        }
        guard found.bitCount == nil else {
          throw ExpressionFailure("a bit field has no offset in bytes", at: nameRange)
        }
        offset += found.firstBit / 8
        type = found.type
      case .index(let index):
        guard case .array(let element, _) = type.resolved else {
          throw ExpressionFailure("'\(type.text)' is no array", at: index.range)
        }
        let (bytes, overflow) = Int(try integer(index)).multipliedReportingOverflow(by: try size(of: element, range))
        guard !overflow, bytes.magnitude < UInt(Limits.structureBytes) else {
          throw ExpressionFailure("an index beyond any array", at: index.range)
        }
        offset &+= bytes
        type = element
      }
    }
    return offset
  }

  /// The address and type of the elements of an array or pointer, and the length of an array.
  private func elements(
    of operand: Operand, _ range: Range<Int>
  ) throws(ExpressionFailure) -> (first: UInt64, element: CType, count: Int?) {
    let type = try typed(operand, range)
    switch type.resolved {
    case .array(let element, let count):
      guard let address = operand.address else { break }
      return (address, element, count)
    case .pointer(let target):
      if case .void = target.resolved {
        throw ExpressionFailure("'\(type.text)' points to no type: cast it", at: range)
      }
      return (try load(operand, range).value, target, nil)
    default: break
    }
    throw ExpressionFailure("'\(type.text)' has no elements", at: range)
  }

  /// What a pointer points to.
  private func target(of pointer: Scalar, _ range: Range<Int>) throws(ExpressionFailure) -> Operand {
    guard case .pointer(let target) = pointer.kind else {
      throw ExpressionFailure("this is a number, no pointer: cast it, as in *(TYPE *)ADDRESS", at: range)
    }
    if case .void = target.resolved {
      throw ExpressionFailure("'void *' points to no type: cast it, as in *(TYPE *)ADDRESS", at: range)
    }
    return .memory(canonical(pointer.value), target)
  }

  /// The address that a pointer holds, without a tag, and without an authentication code.
  func canonical(_ pointer: UInt64) -> UInt64 {
    let plain = memory.untagged(pointer)
    let bits = context.regime.addressBits
    guard plain >> 55 & 1 == 1, plain >> UInt64(bits) != .max >> UInt64(bits) else { return plain }
    return plain | .max << UInt64(bits)
  }

  private func addressOf(_ syntax: Syntax) throws(ExpressionFailure) -> Operand {
    let operand = try value(of: syntax)
    switch operand.place {
    case .number: throw ExpressionFailure("this is no place in memory, and has no address", at: syntax.range)
    case .memory(_, _, _?): throw ExpressionFailure("a bit field has no address", at: syntax.range)
    case .memory(let address, let firstBit, nil):
      return .number(address &+ UInt64(firstBit / 8), .pointer(operand.type ?? .void))
    }
  }
}
