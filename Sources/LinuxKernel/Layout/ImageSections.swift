/// The sections of the kernel image, by the symbols that bound them. (arch/arm64/kernel/vmlinux.lds.S)
struct ImageSections: Sendable {
  /// The symbols in address order, and the section that begins there: "text", "rodata", "init", "data" or "bss", or
  /// none.
  private static let marks: [(symbol: String, section: String?)] = [
    ("_text", "text"), ("_stext", "text"), ("_etext", nil), ("__start_rodata", "rodata"), ("__init_begin", "init"),
    ("__init_end", nil), ("_sdata", "data"), ("_edata", nil), ("__bss_start", "bss"), ("__bss_stop", nil),
    ("_end", nil),
  ]
  /// The symbols' names.
  static let symbols = marks.map(\.symbol)

  /// Where each section begins or ends, in order.
  private let bounds: [(start: UInt64, section: String?)]

  /// - Parameter addresses: the addresses of `symbols`, by index. Fewer than five are too few: `_stext` alone does not
  ///   show where the text ends.
  init(_ addresses: [Int: UInt64]) {
    guard addresses.count > 4 else {
      bounds = []
      return
    }
    let known = Self.marks.enumerated().compactMap { number, mark in
      addresses[number].map { (start: $0, section: mark.section) }
    }
    // If two are at the same address, the later one in the kernel's order counts.
    bounds = known.enumerated().sorted { ($0.element.start, $0.offset) < ($1.element.start, $1.offset) }.map(\.element)
  }

  /// Whether they are unknown.
  var isEmpty: Bool { bounds.isEmpty }

  /// The section that `address` is in.
  func section(of address: UInt64) -> String? { bounds.last { $0.start <= address }?.section }

  /// Whether `address` lies between the image's first symbol and its last.
  func contains(_ address: UInt64) -> Bool {
    guard let first = bounds.first, let last = bounds.last, last.section == nil else { return false }
    return address >= first.start && address < last.start
  }

  /// The known sections in address order, each up to the next.
  var ranges: [(name: String, range: Range<UInt64>)] {
    zip(bounds, bounds.dropFirst()).compactMap { part, next in
      part.section.flatMap { part.start < next.start ? ($0, part.start..<next.start) : nil }
    }
  }
}
