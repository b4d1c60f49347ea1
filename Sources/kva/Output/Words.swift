import KernelVA

/// How sizes and permissions are written for people.
enum Words {
  /// `value` in hex with 0x.
  static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  /// The addresses from `first` to `last`, inclusive.
  static func range(_ first: UInt64, _ last: UInt64) -> String { "\(hex(first))-\(hex(last))" }

  /// The same with 16 digits each, for columns.
  static func wideRange(_ first: UInt64, _ last: UInt64) -> String { "\(wideHex(first))-\(wideHex(last))" }

  private static func wideHex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }

  /// The header of a column of ranges.
  static let rangeHeader = "START-END (INCLUSIVE)"

  /// A size in the largest unit that divides it: "4K", "2M", "1G", "6124K".
  static func size(_ bytes: UInt64) -> String {
    let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")]
    for (shift, unit) in units where bytes >= 1 << UInt64(shift) && bytes.trailingZeroBitCount >= shift {
      return "\(bytes >> UInt64(shift))\(unit)"
    }
    return "\(bytes)"
  }

  /// A level of tables: "-1" to "3".
  static func level(_ level: Int) -> String {
    switch level {
    case 3: "3"
    case 2: "2"
    case 1: "1"
    case 0: "0"
    default: "-1"
    }
  }

  /// The permissions of EL1 and EL0, or of EL2: "EL1 rw- EL0 r-x", "EL2 r-x"; EL0 is left out if it has none.
  static func permissions(_ attributes: Attributes) -> String {
    if attributes.isSingleRange {
      return "EL2 \(triple(true, attributes.isWritable, attributes.isExecutableEL2))"
    }
    let (isUser, isExecutable) = (attributes.isUser, attributes.isExecutableEL0)
    let user = isUser || isExecutable ? " EL0 \(triple(isUser, isUser && attributes.isWritable, isExecutable))" : ""
    return "EL1 \(triple(true, attributes.isWritable, attributes.isExecutableEL1))\(user)"
  }

  /// The same for the bits of one entry, without the restrictions of the tables above it.
  static func permissions(_ descriptor: Descriptor, isSingleRange: Bool) -> String {
    let isWritable = !descriptor.has(.ap2)
    if isSingleRange { return "EL2 \(triple(true, isWritable, !descriptor.has(.uxn)))" }
    let (isUser, isExecutable) = (descriptor.has(.ap1), !descriptor.has(.uxn))
    let user = isUser || isExecutable ? " EL0 \(triple(isUser, isUser && isWritable, isExecutable))" : ""
    return "EL1 \(triple(true, isWritable, !descriptor.has(.pxn)))\(user)"
  }

  private static func triple(_ read: Bool, _ write: Bool, _ execute: Bool) -> String {
    (read ? "r" : "-") + (write ? "w" : "-") + (execute ? "x" : "-")
  }

  /// The name of a shareability.
  static func name(_ shareability: Attributes.Shareability) -> String {
    switch shareability {
    case .nonShareable: "none"
    case .reserved: "reserved"
    case .outer: "outer"
    case .inner: "inner"
    }
  }

  /// The name of a descriptor's kind.
  static func name(_ kind: Descriptor.Kind) -> String {
    switch kind {
    case .invalid: "invalid"
    case .table: "table"
    case .block: "block"
    case .page: "page"
    case .reserved: "reserved"
    }
  }

  /// What makedumpfile leaves out at a dump level (makedumpfile(8), `-d`).
  static func leftOut(_ summary: DumpSummary) -> [String] {
    let names = ["zero pages", "page cache", "private page cache", "user data", "free pages"]
    return names.indices.filter { (summary.dumpLevel ?? 0) >> $0 & 1 == 1 }.map { names[$0] }
      + (summary.excludesVmemmap ? ["parts of vmemmap"] : [])
  }

  /// A hint for an address that was read as hex but consists only of decimal digits; empty for any other.
  static func decimalHint(_ text: String) -> String {
    guard (8...16).contains(text.utf8.count), text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let value = UInt64(text)
    else { return "" }
    return " (\(text) was read as hex; decimal? \(hex(value)))"
  }

  /// Why `resolution` is not mapped, and what to do, with a hint if its address may have been meant as decimal; nil if
  /// there is nothing to say.
  static func message(of resolution: Resolution) -> String? {
    resolution.message.map { message in
      message.advised + (resolution.status == .mapped ? "" : decimalHint(resolution.query))
    }
  }

  /// Nanoseconds as seconds, as in the log: "12.345678".
  static func seconds(_ nanoseconds: UInt64) -> String {
    let micros = String(nanoseconds / 1000 % 1_000_000)
    return "\(nanoseconds / 1_000_000_000).\(String(repeating: "0", count: 6 - micros.utf8.count))\(micros)"
  }

  /// Seconds since 1970 as a date and time, in UTC: "2026-11-23 08:06:00 UTC".
  static func date(_ seconds: UInt64) -> String {
    // Days since 0000-03-01, so that the leap day is the last of the year; 400 years are 146,097 days.
    let days = seconds / 86400 + 719_468
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
    func two(_ value: UInt64) -> String { (value < 10 ? "0" : "") + String(value) }
    let time = seconds % 86400
    return "\(year)-\(two(month < 10 ? month + 3 : month - 9))-\(two(day)) "
      + "\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60)) UTC"
  }

  /// A size as in a memory map for people: whole units of the largest kind, with `~` if that is off by more than one
  /// part in a thousand: "128T", "~4P".
  static func roughSize(_ span: AddressLayout.Span) -> String {
    let bytes = span.size
    let units = [(60, "E"), (50, "P"), (40, "T"), (30, "G"), (20, "M"), (10, "K")]
    guard let (shift, unit) = units.first(where: { bytes >> UInt64($0.0) > 0 }) else { return "\(bytes)" }
    let one = UInt64(1) << UInt64(shift)
    let count = (bytes >> UInt64(shift)) + (bytes & (one - 1) >= one / 2 ? 1 : 0)
    let (whole, overflow) = count.multipliedReportingOverflow(by: one)
    let off = overflow ? 0 &- bytes : whole > bytes ? whole - bytes : bytes - whole
    return (off > bytes / 1000 ? "~" : "") + "\(count)\(unit)"
  }
}
