import Bytes
import VMSA

/// What a user asks about: an address, a name or a register, with an offset.
///
/// | text | means |
/// | --- | --- |
/// | `0xffff80000a1c2d40`, `ffff80000a1c2d40` | an address: it begins with 0x, or is 8 to 16 hex digits |
/// | `0xffff_8000_0a1c_2d40` | the same; without 0x in groups of four digits |
/// | `init_task`, `init_task+8`, `init_task-0x10` | a symbol and an offset |
/// | `ext4:ext4_iget`, `ext4_iget [ext4]` | a symbol of a module |
/// | `runqueues@cpu3` | per-CPU data of one CPU |
/// | `phys:0x40000000`, `pfn:262144` | a physical address, in hex; a page frame, in decimal or hex after 0x |
/// | `$pc`, `$sp`, `$x0@cpu1` | a register of the CPU that panicked, or of one CPU |
///
/// The kernel's own output may be pasted: `[<ffff80000a1c2d40>]`, `ext4_iget+0x10/0x40 [ext4]`, `schedule+0x8/0x90
/// (P)`, with `:`, `,`, `;` or `)` after it; and `<init_task+0x8>`, as kva prints names.
package struct Query: Hashable, Sendable {
  /// The base of a query, before the offset.
  package enum Base: Hashable, Sendable {
    /// An address as a number.
    case address(UInt64)
    /// A symbol of the kernel or a module; for per-CPU data, one CPU's copy.
    case symbol(name: String, module: String?, cpu: Int?)
    /// The contents of a CPU's register; that of the CPU that panicked if `cpu` is nil.
    case register(name: String, cpu: Int?)
    /// A physical address.
    case physical(UInt64)
    /// A page frame number.
    case frame(UInt64)
  }

  /// The text as given.
  package let text: String
  /// The base.
  package let base: Base
  /// Added to the address of the base, modulo 2^64.
  package let offset: UInt64

  /// Why a query cannot be parsed.
  package struct Malformed: Error, Hashable, Sendable {
    /// What is wrong with it, in one line.
    package let message: String
  }

  /// Reads `text`.
  package init(_ text: String) throws(Malformed) {
    self.text = text
    if let address = Self.plainAddress(text) {
      base = .address(address)
      offset = 0
      return
    }
    let (place, module) = Self.unwrapped(text)
    var (rest, offset) = try Self.offset(place)
    self.offset = offset
    guard !rest.isEmpty else { throw Malformed(message: "nothing is asked: give an address or a symbol") }
    guard !rest.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
      throw Malformed(message: "a query is one word: an address or a symbol")
    }
    if let digits = Self.hexDigits(rest) {
      guard let value = Hex.number(Substring(digits.filter { $0 != "_" })), digits.first != "_", digits.last != "_"
      else {
        throw Malformed(message: "'\(rest)' is not a 64-bit address: give 1 to 16 hex digits after 0x")
      }
      base = .address(value)
    } else if (8...16).contains(rest.utf8.count), let value = Hex.number(rest) {
      base = .address(value)
    } else if let value = Self.grouped(rest) {
      base = .address(value)
    } else if let physical = try Self.physical(rest) {
      base = physical
    } else if rest.hasPrefix("$") {
      let (name, cpu) = try Self.cpu(rest.dropFirst())
      base = .register(name: String(name), cpu: cpu)
    } else {
      if let module { rest = "\(module):\(rest)" }
      base = try Self.symbol(rest)
    }
  }

  /// The number of 0x and 1 to 16 hex digits, the most common query of scripts; nil for any other text.
  private static func plainAddress(_ text: String) -> UInt64? {
    let bytes = text.utf8.span
    guard (3...18).contains(bytes.count), bytes[0] == UInt8(ascii: "0"), bytes[1] == UInt8(ascii: "x") else {
      return nil
    }
    var value: UInt64 = 0
    for index in 2..<bytes.count {
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
      default: return nil
      }
    }
    return value
  }

  /// `text` without what the kernel, or kva, prints around a location, and the module named after it.
  private static func unwrapped(_ text: String) -> (place: Substring, module: Substring?) {
    var rest = text[...]
    func dropLast() { rest = rest[..<rest.utf8.index(before: rest.endIndex)] }
    // The address in an old trace is more exact than the name after it.
    if rest.hasPrefix("[<"), let end = rest.firstRange(of: ">]") {
      return (rest[rest.utf8.index(rest.startIndex, offsetBy: 2)..<end.lowerBound], nil)
    }
    while let last = rest.utf8.last, ":,;".utf8.contains(last) || last == 0x29 && !rest.utf8.contains(0x28) {
      dropLast()
    }
    // The markers of a trace since 6.13, such as " (P)".
    if rest.utf8.last == 0x29, let open = rest.firstRange(of: " (") { rest = rest[..<open.lowerBound] }
    for (first, last) in [("<", ">"), ("(", ")")] where rest.hasPrefix(first) && rest.hasSuffix(last) && rest.count > 2
    {
      rest = rest[rest.utf8.index(after: rest.startIndex)...]
      dropLast()
    }
    guard rest.utf8.last == UInt8(ascii: "]"), let open = rest.firstRange(of: " [") else { return (rest, nil) }
    // The module's build ID may follow its name.
    let module = rest[open.upperBound...].prefix { $0 != " " && $0 != "]" }
    return (rest[..<open.lowerBound], module.isEmpty ? nil : module)
  }

  /// `+N` or `-N` at the end of `text`, with the size of the symbol after it if the kernel printed it.
  private static func offset(_ text: Substring) throws(Malformed) -> (rest: Substring, offset: UInt64) {
    let signs = (plus: UInt8(ascii: "+"), minus: UInt8(ascii: "-"))
    guard let sign = text.utf8.lastIndex(where: { $0 == signs.plus || $0 == signs.minus }), sign != text.startIndex
    else {
      return (text, 0)
    }
    let isPlus = text.utf8[sign] == signs.plus
    let parts = text[text.utf8.index(after: sign)...].split(separator: "/", omittingEmptySubsequences: false)
    let rest = text[..<sign]
    if let value = number(parts[0]), parts.dropFirst().allSatisfy({ number($0) != nil }), parts.count < 3,
      !rest.utf8.contains(signs.plus)
    {
      return (rest, isPlus ? value : 0 &- value)
    }
    guard !text.utf8.contains(signs.plus) else {
      let offset = text[(text.utf8.firstIndex(of: signs.plus).map { text.utf8.index(after: $0) } ?? sign)...]
      throw Malformed(message: "'\(offset)' is not an offset: give decimal digits, or hex with 0x")
    }
    return (text, 0)
  }

  /// Groups of four hex digits, an address without 0x.
  private static func grouped(_ text: Substring) -> UInt64? {
    let groups = text.split(separator: "_", omittingEmptySubsequences: false)
    guard (2...4).contains(groups.count), groups.allSatisfy({ $0.utf8.count == 4 }) else { return nil }
    return Hex.number(Substring(groups.joined()))
  }

  /// What follows 0x; nil if the text does not begin with it.
  private static func hexDigits(_ text: Substring) -> Substring? {
    var bytes = text.utf8.makeIterator()
    guard bytes.next() == UInt8(ascii: "0"), let letter = bytes.next(), letter | 0x20 == UInt8(ascii: "x") else {
      return nil
    }
    return text[text.utf8.index(text.startIndex, offsetBy: 2)...]
  }

  /// The base that `phys:` or `pfn:` introduces; nil for any other text.
  private static func physical(_ text: Substring) throws(Malformed) -> Base? {
    if text.hasPrefix("phys:") {
      let digits = text.dropFirst(5)
      guard let value = Hex.number((hexDigits(digits) ?? digits).filter { $0 != "_" }[...]) else {
        throw Malformed(message: "'\(text)' is not a physical address: give phys: and hex digits")
      }
      return .physical(value)
    }
    guard text.hasPrefix("pfn:") else { return nil }
    guard let value = number(text.dropFirst(4)) else {
      throw Malformed(message: "'\(text)' is not a page frame: give pfn: and decimal digits, or hex with 0x")
    }
    return .frame(value)
  }

  private static func symbol(_ text: Substring) throws(Malformed) -> Base {
    var (name, cpu) = try cpu(text)
    var module: String?
    if let colon = name.firstIndex(of: ":") {
      module = String(name[..<colon])
      name = name[name.index(after: colon)...]
    }
    guard !name.isEmpty, module != "" else {
      throw Malformed(message: "'\(text)' names no symbol: give NAME, MODULE:NAME or NAME@cpuN")
    }
    return .symbol(name: String(name), module: module, cpu: cpu)
  }

  /// What precedes `@cpuN`, and N.
  private static func cpu(_ text: Substring) throws(Malformed) -> (name: Substring, cpu: Int?) {
    guard let at = text.lastIndex(of: "@") else { return (text, nil) }
    let place = text[text.index(after: at)...]
    let digits = place.dropFirst(3)
    guard place.hasPrefix("cpu"), digits.first?.isHexDigit == true, let number = Int(digits) else {
      throw Malformed(message: "'@\(place)' is not a CPU: give NAME@cpuN")
    }
    return (text[..<at], number)
  }

  /// A length or an offset: decimal, or hex with 0x.
  package static func number(_ text: some StringProtocol) -> UInt64? {
    guard text.first?.isHexDigit == true else { return nil }
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      let digits = text.dropFirst(2)
      return digits.first?.isHexDigit == true ? UInt64(digits, radix: 16) : nil
    }
    return UInt64(text)
  }

  /// A size in bytes: a number with an optional suffix K, M, G or T (powers of 1024).
  package static func byteSize(_ text: String) -> UInt64? {
    let shift: UInt64? =
      switch text.utf8.last {
      case UInt8(ascii: "K"), UInt8(ascii: "k"): 10
      case UInt8(ascii: "M"), UInt8(ascii: "m"): 20
      case UInt8(ascii: "G"), UInt8(ascii: "g"): 30
      case UInt8(ascii: "T"), UInt8(ascii: "t"): 40
      default: nil
      }
    guard let number = number(shift == nil ? text[...] : text.dropLast()) else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
    return overflow ? nil : bytes
  }
}
