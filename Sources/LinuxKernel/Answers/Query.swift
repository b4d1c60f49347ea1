import Bytes
import VMSA

/// What a person asks about: an address or a name, with an offset.
///
/// | text | means |
/// | --- | --- |
/// | `0xffff80000a1c2d40`, `ffff80000a1c2d40` | an address: it begins with 0x, or is 8 to 16 hex digits |
/// | `init_task`, `init_task+8`, `init_task+0x10` | a symbol and an offset |
/// | `ext4:ext4_iget` | a symbol of a module |
/// | `runqueues@cpu3` | per-CPU data of one CPU |
package struct Query: Hashable, Sendable {
  /// What is asked about, before the offset.
  package enum Base: Hashable, Sendable {
    /// An address as a number.
    case address(UInt64)
    /// A symbol, in a module or of the kernel, of one CPU where it is per-CPU data.
    case symbol(name: String, module: String?, cpu: Int?)
  }

  /// As it was asked.
  package let text: String
  /// What is asked about.
  package let base: Base
  /// Added to the address of the base, modulo 2^64.
  package let offset: UInt64

  /// Why a query cannot be understood.
  package struct Malformed: Error, Hashable, Sendable {
    /// What is wrong with it, in one line.
    package let message: String
  }

  /// Reads `text`.
  package init(_ text: String) throws(Malformed) {
    self.text = text
    var rest = text[...]
    var offset: UInt64 = 0
    if let sign = rest.utf8.lastIndex(of: UInt8(ascii: "+")), sign != rest.startIndex {
      let digits = rest[rest.utf8.index(after: sign)...]
      guard let value = Self.number(digits) else {
        throw Malformed(message: "'\(digits)' is not an offset: give decimal digits, or hex with 0x")
      }
      offset = value
      rest = rest[..<sign]
    }
    self.offset = offset
    guard !rest.isEmpty else { throw Malformed(message: "nothing is asked: give an address or a symbol") }
    guard !rest.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
      throw Malformed(message: "a query is one word: an address or a symbol")
    }
    if let digits = Self.hexDigits(rest) {
      guard let value = Hex.number(digits) else {
        throw Malformed(message: "'\(rest)' is not a 64-bit address: give 1 to 16 hex digits after 0x")
      }
      base = .address(value)
    } else if (8...16).contains(rest.utf8.count), let value = Hex.number(rest) {
      base = .address(value)
    } else {
      base = try Self.symbol(rest)
    }
  }

  /// What stands behind 0x; nil where the text does not begin so.
  private static func hexDigits(_ text: Substring) -> Substring? {
    var bytes = text.utf8.makeIterator()
    guard bytes.next() == UInt8(ascii: "0"), let letter = bytes.next(), letter | 0x20 == UInt8(ascii: "x") else {
      return nil
    }
    return text[text.utf8.index(text.startIndex, offsetBy: 2)...]
  }

  private static func symbol(_ text: Substring) throws(Malformed) -> Base {
    var name = text
    var cpu: Int?
    if let at = name.lastIndex(of: "@") {
      let place = name[name.index(after: at)...]
      let digits = place.dropFirst(3)
      guard place.hasPrefix("cpu"), digits.first?.isHexDigit == true, let number = Int(digits) else {
        throw Malformed(message: "'@\(place)' is not a CPU: give NAME@cpuN")
      }
      cpu = number
      name = name[..<at]
    }
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

  /// A number as kva takes lengths and offsets: decimal, or hex with 0x.
  package static func number(_ text: some StringProtocol) -> UInt64? {
    guard text.first?.isHexDigit == true else { return nil }
    if text.hasPrefix("0x") || text.hasPrefix("0X") {
      let digits = text.dropFirst(2)
      return digits.first?.isHexDigit == true ? UInt64(digits, radix: 16) : nil
    }
    return UInt64(text)
  }
  /// A size in bytes: a number, with K, M or G (powers of 1024) behind it if wanted.
  package static func byteSize(_ text: String) -> UInt64? {
    let shift: UInt64? =
      switch text.utf8.last {
      case UInt8(ascii: "K"), UInt8(ascii: "k"): 10
      case UInt8(ascii: "M"), UInt8(ascii: "m"): 20
      case UInt8(ascii: "G"), UInt8(ascii: "g"): 30
      default: nil
      }
    guard let number = number(shift == nil ? text[...] : text.dropLast()) else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << (shift ?? 0))
    return overflow ? nil : bytes
  }
}
