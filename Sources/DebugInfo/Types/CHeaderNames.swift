/// The names that a C header gives to types: debugging information has several types of one name, from different files
/// or modules, and names that are invalid in C.
struct CHeaderNames {
  /// A tag in use.
  private struct Tag {
    let keyword: String
    /// The type that it defines; nil if it is only declared.
    var definition: TypeKey?
  }

  private var tags: [String: Tag] = [:]
  private var given: [TypeKey: String] = [:]
  /// Typedefs and enumerators; those that the compiler predefines are taken.
  private var ordinary: Set<String> = ["__builtin_va_list"]
  /// The number of types that want each name.
  private var wanted: [String: Int] = [:]

  /// The tag of `record`, which has a name. One that is only declared shares that of a record of its kind and name.
  mutating func tag(of record: CRecord) -> String {
    tag(record.name, record.keyword, record.isComplete ? record.key : nil)
  }

  /// The tag of `enumeration`, which has a name.
  mutating func tag(of enumeration: CEnumeration) -> String {
    tag(enumeration.name, "enum", enumeration.isComplete ? enumeration.key : nil)
  }

  private mutating func tag(_ name: String, _ keyword: String, _ definition: TypeKey?) -> String {
    if let definition, let known = given[definition] { return known }
    let plain = Self.identifier(name)
    var candidate = plain
    while let owner = tags[candidate] {
      let isFree = owner.keyword == keyword && (definition == nil || owner.definition == nil)
      if isFree { break }
      candidate = another(plain, keyword)
    }
    if tags[candidate] == nil || definition != nil { tags[candidate] = Tag(keyword: keyword, definition: definition) }
    if let definition { given[definition] = candidate }
    return candidate
  }

  /// The name of the typedef `name` with this key.
  mutating func typedef(_ name: String, _ key: TypeKey) -> String {
    if let known = given[key] { return known }
    let free = enumerator(name)
    given[key] = free
    return free
  }

  /// The name of the enumerator `name`: each call takes another.
  mutating func enumerator(_ name: String) -> String {
    let plain = Self.identifier(name)
    var candidate = plain
    while !ordinary.insert(candidate).inserted { candidate = another(plain, "") }
    return candidate
  }

  /// `name` with the next number appended, in bpftool's style.
  private mutating func another(_ name: String, _ space: String) -> String {
    let number = wanted["\(space) \(name)", default: 1] + 1
    wanted["\(space) \(name)"] = number
    return "\(name)___\(number)"
  }

  /// `name` as a valid member name: C23 keywords are not allowed.
  static func member(_ name: String) -> String {
    ["bool", "true", "false"].contains(name) ? "\(name)_" : identifier(name)
  }

  /// `name` as a valid C identifier.
  static func identifier(_ name: String) -> String {
    var bytes = name.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        byte
      default: UInt8(ascii: "_")
      }
    }
    if bytes.first.map({ $0 < UInt8(ascii: "A") }) ?? true { bytes.insert(UInt8(ascii: "_"), at: 0) }
    let text = String(decoding: bytes, as: UTF8.self)
    return reserved.contains(text) ? "\(text)_" : text
  }

  /// The keywords of C11 and GNU C, and what compilers for Linux define as macros.
  private static let reserved: Set<String> = [
    "asm", "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
    "float", "for", "goto", "if", "inline", "int", "linux", "long", "register", "restrict", "return", "short", "signed",
    "sizeof", "static", "struct", "switch", "typedef", "typeof", "union", "unix", "unsigned", "void", "volatile",
    "while",
  ]
}
