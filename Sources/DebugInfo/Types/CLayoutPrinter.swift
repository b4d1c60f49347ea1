/// Writes types as C with the offset and size of each member, in bytes, and the holes between them, as pahole(1) does.
///
///     struct list_head {
///         struct list_head *next;                       /*     0     8 */
///         struct list_head *prev;                       /*     8     8 */
///         /* size: 16, members: 2 */
///     };
package struct CLayoutPrinter {
  private var lines: [String] = []
  private var linesLeft = Limits.layoutLines

  /// The column of the comments.
  private static let column = 60

  private init() {}

  /// `type` in lines: what it is an alias of, then the layout.
  package static func lines(of type: CType) -> [String] {
    var printer = CLayoutPrinter()
    printer.definition(of: type)
    return printer.lines
  }

  private mutating func add(_ text: String, _ depth: Int, comment: String? = nil) {
    guard linesLeft > 0 else { return }
    linesLeft -= 1
    var line = String(repeating: "    ", count: depth) + text
    if let comment {
      let padding = max(1, Self.column - line.utf8.count)
      line += String(repeating: " ", count: padding) + "/* \(comment) */"
    }
    lines.append(linesLeft == 0 ? "..." : line)
  }

  private mutating func definition(of type: CType) {
    switch type.shape {
    case .record(let record): self.record(record, type)
    case .enumeration(let enumeration): self.enumeration(enumeration, 0, suffix: ";")
    case .typedef(let name, let target):
      switch target.shape {
      case .record(let record) where record.name.isEmpty:
        add("typedef \(record.keyword) {", 0)
        body(record, 1, from: 0)
        add("} \(name);", 0)
      case .enumeration(let enumeration) where enumeration.name.isEmpty:
        self.enumeration(enumeration, 0, prefix: "typedef ", suffix: " \(name);")
      default:
        add("typedef \(target.declaration(of: name));", 0, comment: target.size.map { "size: \($0)" })
        if let record = target.record, record.isComplete {
          add("", 0)
          self.record(record, nil)
        }
      }
    default: add("\(type.text);", 0, comment: type.size.map { "size: \($0)" })
    }
  }

  private mutating func record(_ record: CRecord, _ type: CType?) {
    let name = record.name.isEmpty ? "" : " \(record.name)"
    guard record.isComplete else {
      add("\(record.keyword)\(name);", 0, comment: "declared, but not defined")
      return
    }
    add("\(record.keyword)\(name) {", 0)
    body(record, 1, from: 0)
    add("};", 0)
  }

  private mutating func enumeration(
    _ enumeration: CEnumeration, _ depth: Int, prefix: String = "", suffix: String, comment: String? = nil
  ) {
    add("\(prefix)enum \(enumeration.name.isEmpty ? "" : "\(enumeration.name) "){", depth)
    for item in enumeration.enumerators {
      add("\(item.name) = \(enumeration.isSigned ? "\(item.value)" : "\(UInt64(bitPattern: item.value))"),", depth + 1)
    }
    add("}\(suffix)", depth, comment: comment ?? "size: \(enumeration.size)")
  }

  /// The members of `record`, which begins `start` bits into the printed type.
  private mutating func body(_ record: CRecord, _ depth: Int, from start: Int) {
    guard depth < Limits.typeDepth else { return add("...", depth) }
    let members = record.members
    var end = 0
    var holes = 0
    var holeBits = 0
    for member in members {
      if !record.isUnion, member.firstBit > end {
        let bits = member.firstBit - end
        add("/* XXX \(Self.amount(bits)) hole */", depth)
        holes += 1
        holeBits += bits
      }
      self.member(member, depth, from: start)
      let width = member.bitCount ?? (member.type.size ?? 0) * 8
      end = max(end, member.firstBit &+ width)
    }
    guard start == 0, depth == 1 else { return }
    var summary = "size: \(record.size), members: \(members.count)"
    if holes > 0 { summary += ", holes: \(holes) (\(Self.amount(holeBits)))" }
    if !record.isUnion, record.size * 8 > end, !members.isEmpty {
      summary += ", padding: \(Self.amount(record.size * 8 - end))"
    }
    add("/* \(summary) */", depth)
  }

  private static func amount(_ bits: Int) -> String {
    let (count, unit) = bits % 8 == 0 ? (bits / 8, "byte") : (bits, "bit")
    return "\(count) \(unit)\(count == 1 ? "" : "s")"
  }

  private mutating func member(_ member: CMember, _ depth: Int, from start: Int) {
    let first = start &+ member.firstBit
    let size = member.type.size ?? 0
    var place: String
    if member.bitCount != nil, size > 0 {
      // The unit of the declared type that it begins in, and the first bit there.
      place = "\(Self.right(first / (size * 8) * size, 5)):\(Self.right(first % (size * 8), 2)) \(Self.right(size, 2))"
    } else {
      place = "\(Self.right(first / 8, 5)) \(Self.right(size, 5))"
    }
    let bits = member.bitCount.map { ":\($0)" } ?? ""
    let name = member.name ?? ""
    // An anonymous type is written where it is used.
    let (inner, suffix) = Self.anonymous(member.type, name)
    switch inner {
    case .record(let record)?:
      add("\(record.keyword) {", depth)
      body(record, depth + 1, from: first)
      add("}\(suffix.isEmpty ? "" : " ")\(suffix)\(bits);", depth, comment: place)
    case .enumeration(let enumeration)?:
      self.enumeration(enumeration, depth, suffix: " \(suffix)\(bits);", comment: place)
    default: add("\(member.type.declaration(of: name))\(bits);", depth, comment: place)
    }
  }

  /// The anonymous record or enumeration that `type` is, or is an array or a pointer of, and the declarator around it.
  private static func anonymous(_ type: CType, _ name: String) -> (TypeShape?, String) {
    var type = type
    var declarator = name
    for _ in 0..<Limits.typeDepth {
      switch type.shape {
      case .record(let record): return (record.name.isEmpty && record.isComplete ? type.shape : nil, declarator)
      case .enumeration(let enumeration):
        return (enumeration.name.isEmpty && enumeration.isComplete ? type.shape : nil, declarator)
      case .array(let element, let count):
        declarator += "[\(count == 0 ? "" : "\(count)")]"
        type = element
      case .pointer(let target):
        if case .array = target.shape { return (nil, "") }
        declarator = "*\(declarator)"
        type = target
      default: return (nil, "")
      }
    }
    return (nil, "")
  }

  private static func right(_ value: Int, _ width: Int) -> String {
    let text = "\(value)"
    return String(repeating: " ", count: max(0, width - text.utf8.count)) + text
  }
}
