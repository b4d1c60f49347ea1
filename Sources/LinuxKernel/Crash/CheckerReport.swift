/// A bad access as reported by KASAN or KFENCE. (mm/kasan/report.c, `print_error_description`,
/// `print_address_description`; mm/kfence/report.c, `kfence_report_error`)
package struct CheckerReport: Sendable {
  /// The address; nil if it is not printed, or is hashed (%p).
  package private(set) var address: UInt64?
  /// Whether it was a write; nil if it was not an access, such as a bad free.
  package private(set) var isWrite: Bool?
  /// The code location, as `%pS` prints it.
  package private(set) var place: String?
  /// What the address belongs to, in the report's words.
  package private(set) var object: String?

  /// Parses the report that `lines` begin with; nil if it is not one.
  package init?(_ lines: [Substring]) {
    guard let head = lines.first, head.contains("BUG: KASAN") || head.contains("BUG: KFENCE") else { return nil }
    place = head.firstRange(of: " in ").map { String(head[$0.upperBound...]) }
    var parts: [String] = []
    var goesOn = false
    for line in lines.dropFirst() {
      // A line of `=` ends it, except the one at its head.
      if line.hasPrefix("=="), !parts.isEmpty { break }
      takeAccess(line)
      if line.hasPrefix("The buggy address ") {
        parts.append(String(line.dropFirst("The buggy address ".count)))
        goesOn = true
      } else if goesOn, line.hasPrefix(" ") {
        parts[parts.count - 1] += line
        goesOn = false
      } else {
        goesOn = false
      }
      if line.hasPrefix("kfence-#"), line.contains("cache="), parts.isEmpty { parts.append(String(line)) }
    }
    object = parts.isEmpty ? nil : parts.joined(separator: "; ")
  }

  /// `Read of size 8 at addr ffff000012345678 by task init/1`, `Use-after-free write at 0xffff000012345678 (in ...)`.
  private mutating func takeAccess(_ line: Substring) {
    let words = line.split(separator: " ")
    guard address == nil, let first = words.first, Self.beginnings.contains(first),
      let value = words.dropFirst().lazy.compactMap(Self.address).first
    else { return }
    // KFENCE prints with %p, which is hashed by default.
    guard value >> 55 & 1 == 1 || ["Read", "Write"].contains(first) else { return }
    address = value
    let access = words.prefix(2).map { $0.lowercased() }
    isWrite = access.contains("write") ? true : access.contains("read") ? false : nil
  }

  /// The beginnings of the line with the address.
  private static let beginnings: Set<Substring> = [
    "Read", "Write", "Free", "Use-after-free", "Out-of-bounds", "Corrupted", "Invalid",
  ]

  /// A number of at least eight hex digits; nil for any other word.
  private static func address(_ word: Substring) -> UInt64? {
    let digits = (word.hasPrefix("0x") ? word.dropFirst(2) : word).prefix(while: \.isHexDigit)
    return digits.utf8.count >= 8 ? OopsText.hex(digits) : nil
  }
}
