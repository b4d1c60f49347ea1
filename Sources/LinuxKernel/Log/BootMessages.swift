import Bytes
import DebugInfo

/// What the kernel's log says about the hardware: detected features are logged at boot.
struct BootMessages: Sendable {
  private let lines: [String]
  /// Whether the log goes back to the first message, so that a missing message was never logged.
  let isWhole: Bool

  init(_ records: [LogRecord]) {
    lines = records.filter { $0.facility == 0 }.map(\.text)
    isWhole = lines.first.map { $0.hasPrefix("Booting Linux on physical CPU") } ?? false
  }

  /// Whether a message has `text` in it.
  func says(_ text: String) -> Bool { rest(behind: text) != nil }

  /// The rest of the first line that contains `text`; nil if none does.
  private func rest(behind text: String) -> Substring.UTF8View? {
    let wanted = Array(text.utf8)
    for line in lines {
      guard let place = line.utf8Span.span.rawSpan.firstOccurrence(of: wanted) else { continue }
      return line.utf8.dropFirst(place + wanted.count)
    }
    return nil
  }

  /// Whether the feature that the kernel calls `name` was detected; nil if the log does not go back that far.
  /// (`update_cpu_capabilities`, arch/arm64/kernel/cpufeature.c)
  func detected(_ name: String) -> Bool? {
    let message = "CPU features: detected: \(name)"
    return lines.contains { $0.hasPrefix(message) } ? true : isWhole ? false : nil
  }

  /// The IPA width that KVM logs, which is the CPU's physical address width. (`kvm_set_ipa_limit`,
  /// arch/arm64/kvm/reset.c)
  var physicalBits: Int? {
    // Until 5.9 the virtual address width could also limit it.
    if says("Limiting the IPA size") { return nil }
    return rest(behind: "IPA Size Limit: ").flatMap { rest in
      Int(String(decoding: rest.prefix { (0x30...0x39).contains($0) }, as: UTF8.self))
    }
  }
}
