/// Names a crash independently of addresses, numbers and builds, so that the same crash in another dump has the same
/// name.
package enum CrashSignature {
  /// `KIND: TEXT in FUNCTION`.
  ///
  /// - Parameters:
  ///   - places: the call trace, innermost first, each as `%pS` prints it. The first that is not part of the crash
  ///     machinery is used.
  package static func text(_ reason: CrashReason, at places: [String]) -> String {
    let function = places.lazy.map(function).first { !isMachinery($0) }
    return "\(reason.kind.rawValue): \(general(reason.panicOrText))" + (function.map { " in \($0)" } ?? "")
  }

  /// `text` with N for each number, except those in names.
  package static func general(_ text: String) -> String {
    var result = ""
    var word = ""
    func flush() {
      result += isNumber(word) ? "N" : word
      word = ""
    }
    for letter in text.unicodeScalars {
      if letter.properties.isAlphabetic || letter.properties.numericType != nil || letter == "_" {
        word.unicodeScalars.append(letter)
      } else {
        flush()
        result.unicodeScalars.append(letter)
      }
    }
    flush()
    return result
  }

  /// Digits with an optional unit, or a hex number.
  private static func isNumber(_ word: String) -> Bool {
    guard let first = word.utf8.first else { return false }
    let isHex =
      word.utf8.count >= 8
      && word.utf8.allSatisfy {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
      }
    return isHex || UInt8(ascii: "0")...UInt8(ascii: "9") ~= first
  }

  /// The name in `symbol+0xoff/0xsize [module]`, without a compiler's suffix after a dot.
  private static func function(_ place: String) -> String {
    String(place.prefix { $0 != "+" && $0 != "." && $0 != " " })
  }

  /// Whether this function is on the stack of every crash.
  private static func isMachinery(_ name: String) -> Bool {
    machinery.contains(name) || name.hasPrefix("dump_") || name.hasPrefix("die") || name.hasPrefix("el1")
  }

  private static let machinery: Set<String> = [
    "__crash_kexec", "crash_kexec", "crash_setup_regs", "machine_crash_shutdown", "machine_kexec", "panic", "vpanic",
    "nmi_panic", "oops_end", "show_stack", "bug_handler", "call_break_hook", "brk_handler", "do_debug_exception",
    "do_mem_abort", "do_translation_fault", "do_page_fault", "do_bad_area", "__do_kernel_fault", "do_serror",
    "arm64_serror_panic", "watchdog_timer_fn", "check_panic_on_warn", "__warn", "warn_slowpath_fmt", "report_bug",
    "do_alignment_fault", "do_sp_pc_abort", "do_sea", "bad_mode", "__die", "kasan_report", "print_report",
    "print_address_description", "__show_regs", "show_regs",
  ]
}

extension CrashReason {
  /// The text that names it: the panic's message if the panic is the reason.
  fileprivate var panicOrText: String { kind == .panic || kind == .sysrq ? panic ?? text : text }
}
