import Foundation

/// A page as Debian's chromium has it after its script ran.
public struct BrowserPage: Sendable {
  /// The document, written out as HTML.
  public let html: String
  /// What its script, or the browser about it, said on the console.
  public let console: [String]

  /// The browser; nil where there is none.
  public static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// Opens the file at `path` with `fragment` behind its address.
  public init(file path: String, fragment: String = "") throws {
    guard let browser = Self.path else { throw TestSupportError("no chromium") }
    let profile = FileManager.default.temporaryDirectory.appendingPathComponent("kva-browser-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: profile) }
    let url = URL(fileURLWithPath: path).absoluteString + (fragment.isEmpty ? "" : "#" + fragment)
    let result = try ChildProcess.run(
      browser,
      [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr",
        "--user-data-dir=\(profile.path)", "--virtual-time-budget=5000", "--window-size=1280,2000", "--dump-dom", url,
      ], input: Data(), output: nil, limit: 120)
    html = result.text
    console = result.errorLines.filter { $0.contains("CONSOLE") }
    guard html.contains("<html") else { throw TestSupportError("chromium: \(result.standardError.prefix(2000))") }
  }

  /// A cell of a table: its text, and the number of bytes that it stands for, where it says so.
  public struct Cell: Sendable {
    /// Its text, without markup.
    public let text: String
    /// `data-bytes`.
    public let bytes: UInt64?
  }

  /// The rows of the body of the table that is called `id`; empty if there is none.
  public func rows(_ id: String) -> [[Cell]] {
    guard let start = html.range(of: "id=\"\(id)\""),
      let end = html.range(of: "</table>", range: start.upperBound..<html.endIndex),
      let body = html.range(of: "<tbody>", range: start.upperBound..<end.lowerBound)
    else { return [] }
    return html[body.upperBound..<end.lowerBound].components(separatedBy: "<tr").dropFirst().map { row in
      let cells = row.replacingOccurrences(of: "<th ", with: "<td ").components(separatedBy: "<td").dropFirst()
      return cells.map { cell in
        let bytes = cell.range(of: "data-bytes=\"").flatMap { UInt64(cell[$0.upperBound...].prefix { $0 != "\"" }) }
        return Cell(text: Self.text(String(cell.drop { $0 != ">" }.dropFirst())), bytes: bytes)
      }
    }
  }

  /// The text of the element that is called `id`; nil if there is none.
  public func text(_ id: String) -> String? {
    guard let start = html.range(of: "id=\"\(id)\""),
      let open = html.range(of: ">", range: start.upperBound..<html.endIndex),
      let close = html.range(of: "</", range: open.upperBound..<html.endIndex)
    else { return nil }
    return Self.text(String(html[open.upperBound..<close.lowerBound]))
  }

  private static func text(_ html: String) -> String {
    var plain = html.replacingOccurrences(of: "<[^>]*>", with: "", options: .regularExpression)
    for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&nbsp;", " "), ("&amp;", "&")] {
      plain = plain.replacingOccurrences(of: entity, with: character)
    }
    return plain
  }
}
