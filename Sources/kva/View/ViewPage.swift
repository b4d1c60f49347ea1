import KernelVA

/// A page that shows a dump: one file that loads nothing else, in the order head, body, data, script.
///
/// Everything from the dump is JSON in an element that browsers do not execute, with `<` escaped, so that the element
/// cannot be closed early; the script shows it only as text. The Content-Security-Policy in the head forbids everything
/// else.
enum ViewPage {
  /// The page of `data`, whose JSON is `json`.
  static func html(_ json: [UInt8]) -> [UInt8] {
    var page = Array(head.utf8)
    page.reserveCapacity(json.count + 64 << 10)
    let escape = Array("\\u003c".utf8)
    // In JSON it occurs only in strings.
    for byte in json { if byte == UInt8(ascii: "<") { page += escape } else { page.append(byte) } }
    page += Array("</script>\n<script>\n\(lookup)\n\(strips)\n</script>\n</body>\n</html>\n".utf8)
    return page
  }

  private static var head: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta http-equiv="Content-Security-Policy" \
    content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
    <link rel="icon" href="data:,">
    <title>kva view</title>
    <style>
    \(style)
    \(colours)
    </style>
    </head>
    <body>
    \(body)
    <script id="data" type="application/json">
    """
  }

  /// The colours as CSS variables, for the script, and as classes.
  private static var colours: String {
    func plain(_ fill: String) -> String { fill.hasPrefix("url") ? "transparent" : fill }
    let light = Palette.allCases.map { "--k-\($0.rawValue):\(plain($0.fills.light))" }.joined(separator: ";")
    let dark = Palette.allCases.map { "--k-\($0.rawValue):\(plain($0.fills.dark))" }.joined(separator: ";")
    let classes = Palette.allCases.map { ".k-\($0.rawValue){background:var(--k-\($0.rawValue))}" }.joined()
    let hatch = "repeating-linear-gradient(90deg,var(--k-line) 0 1px,transparent 1px 4px)"
    return """
      :root{--k-line:#8b949e;\(light)}
      @media (prefers-color-scheme:dark){:root{--k-line:#6e7681;\(dark)}}
      \(classes)
      .k-empty,.k-absent{background:\(hatch)}.lacking{background-image:\(hatch)}
      """
  }
}
