import ArgumentParser
import KernelVA

/// Log levels: comma-separated dmesg(1) names or numbers, each with an optional `+` for itself and the more severe
/// ones.
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

/// A log time in seconds, with an optional suffix s, m or h; if negative, before the last message.
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

  /// The time in nanoseconds since boot, given the time `last` of the last message.
  func nanoseconds(last: UInt64) -> UInt64 {
    let value = nanoseconds < 1e19 ? UInt64(nanoseconds) : .max
    return isBeforeEnd ? last - min(value, last) : value
  }
}
