import ArgumentParser
import KernelVA

/// Levels of the log: names of dmesg(1) or numbers with commas between them, each with a `+` after it for itself and
/// the more severe ones.
struct LogLevels: ExpressibleByArgument {
  let levels: Set<Int>

  private static let names = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"]

  init?(argument: String) {
    var levels: Set<Int> = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let name = part.hasSuffix("+") ? part.dropLast() : part
      guard let level = Self.names.firstIndex(of: String(name)) ?? Int(name), Self.names.indices.contains(level) else {
        return nil
      }
      levels.formUnion(part.hasSuffix("+") ? 0...level : level...level)
    }
    self.levels = levels
  }

  static let allValueStrings = names
}

/// A time of the log in seconds, with s, m or h after it if wanted; negative before its last message.
struct LogTime: ExpressibleByArgument {
  private let nanoseconds: Double
  private let isBeforeEnd: Bool

  init?(argument: String) {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600]
    let unit = argument.last.flatMap { units[$0] }
    let digits = unit == nil ? argument[...] : argument.dropLast()
    guard digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-") }), let value = Double(digits)
    else {
      return nil
    }
    nanoseconds = value.magnitude * (unit ?? 1) * 1e9
    isBeforeEnd = digits.hasPrefix("-")
  }

  /// The time in nanoseconds since boot, if the last message is of `last`.
  func nanoseconds(last: UInt64) -> UInt64 {
    let value = nanoseconds < 1e19 ? UInt64(nanoseconds) : .max
    return isBeforeEnd ? last - min(value, last) : value
  }
}
