import KernelVA

/// A standalone SVG picture, drawn from the top down. Text is escaped here and nowhere else.
struct SVG {
  /// Width in pixels.
  static let width = 960
  /// Pixels of one character of the text font, which has a fixed width.
  static let characterWidth = 7.25

  private let title: String
  private let summary: String
  private var body = ""
  /// The picture's height so far.
  var height = 0.0

  /// - Parameters:
  ///   - title: what is drawn; also the picture's accessible name.
  ///   - summary: a description for screen readers.
  init(title: String, summary: String) {
    self.title = title
    self.summary = summary
    text(16, 28, title, .title)
    height = 48
  }

  /// A text style.
  enum TextStyle: String { case plain = "t", title = "h", small = "s", strong = "b" }
  /// The alignment of text to its point.
  enum Anchor: String { case start, middle, end }

  mutating func text(_ x: Double, _ y: Double, _ string: String, _ style: TextStyle = .plain, _ anchor: Anchor = .start)
  {
    body += "<text x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" class=\"\(style.rawValue)\""
    if anchor != .start { body += " text-anchor=\"\(anchor.rawValue)\"" }
    body += ">\(Self.escaped(string))</text>\n"
  }

  /// A box; `name` is its tooltip.
  mutating func box(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ fill: Palette, isOutlined: Bool = true,
    name: String? = nil
  ) {
    body += "<rect x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(width))\" "
    body += "height=\"\(Self.number(height))\" class=\"\(fill.rawValue)\(isOutlined ? " o" : "")\""
    body += name.map { "><title>\(Self.escaped($0))</title></rect>\n" } ?? "/>\n"
  }

  /// Only the outline of a box.
  mutating func outline(_ x: Double, _ y: Double, _ width: Double, _ height: Double) {
    line([(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)])
  }

  mutating func line(_ points: [(x: Double, y: Double)]) {
    body += "<polyline class=\"l\" points=\"\(Self.list(points))\"/>\n"
  }

  /// A faint area.
  mutating func area(_ points: [(x: Double, y: Double)], _ fill: Palette) {
    body += "<polygon class=\"\(fill.rawValue) f\" points=\"\(Self.list(points))\"/>\n"
  }

  /// The picture as SVG.
  var document: String {
    let height = Self.number(height)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(Self.width)" height="\(height)" \
      viewBox="0 0 \(Self.width) \(height)" role="img" aria-labelledby="title summary">
      <title id="title">\(Self.escaped(title))</title>
      <desc id="summary">\(Self.escaped(summary))</desc>
      <style>
      text{font:12px ui-monospace,"DejaVu Sans Mono",Consolas,monospace;fill:#1b1f24}
      .h{font-size:16px;font-weight:bold}.s{font-size:10px}.b{font-weight:bold}
      .o{stroke:#57606a;stroke-width:1}.l{fill:none;stroke:#57606a}.f{opacity:.2}.paper{fill:#fff}
      \(Palette.styles(isDark: false))
      @media (prefers-color-scheme:dark){text{fill:#e6edf3}.o,.l{stroke:#9aa4af}.paper{fill:#0d1117}
      \(Palette.styles(isDark: true))}
      </style>
      <defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" \
      patternTransform="rotate(45)"><rect width="2" height="6" fill="#8b949e"/></pattern></defs>
      <rect class="paper" width="\(Self.width)" height="\(height)"/>
      \(body)</svg>

      """
  }

  /// `value` with one decimal place.
  static func number(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
  }

  private static func list(_ points: [(x: Double, y: Double)]) -> String {
    points.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
  }

  /// `text` escaped for XML; characters that XML cannot represent are replaced.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{fffe}", "\u{ffff}", "\u{202a}"..."\u{202e}",
        "\u{2066}"..."\u{2069}":
        result += "\u{fffd}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
