/// The parts of the kernel image, by the symbols that begin and end them. (arch/arm64/kernel/vmlinux.lds.S)
struct ImageSections: Sendable {
  /// The symbols in the order of their addresses, and what begins there: "text", "rodata", "init", "data" or "bss", or
  /// nothing.
  private static let marks: [(symbol: String, section: String?)] = [
    ("_text", "text"), ("_stext", "text"), ("_etext", nil), ("__start_rodata", "rodata"), ("__init_begin", "init"),
    ("__init_end", nil), ("_sdata", "data"), ("_edata", nil), ("__bss_start", "bss"), ("__bss_stop", nil),
    ("_end", nil),
  ]
  /// The names of the symbols.
  static let symbols = marks.map(\.symbol)

  /// Where each part begins or ends, in order.
  private let bounds: [(start: UInt64, section: String?)]

  /// - Parameter addresses: where those of `symbols` are, by their place in it. Fewer than five show nothing: `_stext`
  ///   alone does not say where the text ends.
  init(_ addresses: [Int: UInt64]) {
    guard addresses.count > 4 else {
      bounds = []
      return
    }
    let known = Self.marks.enumerated().compactMap { number, mark in
      addresses[number].map { (start: $0, section: mark.section) }
    }
    // Of two at one address the later in the kernel's order counts.
    bounds = known.enumerated().sorted { ($0.element.start, $0.offset) < ($1.element.start, $1.offset) }.map(\.element)
  }

  /// Whether nothing is known of them.
  var isEmpty: Bool { bounds.isEmpty }

  /// The part that `address` lies in.
  func section(of address: UInt64) -> String? { bounds.last { $0.start <= address }?.section }

  /// Whether `address` lies between the image's first symbol and its last.
  func contains(_ address: UInt64) -> Bool {
    guard let first = bounds.first, let last = bounds.last, last.section == nil else { return false }
    return address >= first.start && address < last.start
  }

  /// The parts that are known, by address, each up to where the next begins.
  var ranges: [(name: String, range: Range<UInt64>)] {
    zip(bounds, bounds.dropFirst()).compactMap { part, next in
      part.section.flatMap { part.start < next.start ? ($0, part.start..<next.start) : nil }
    }
  }
}
