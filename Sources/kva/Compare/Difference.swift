import KernelVA

/// A difference between two dumps.
struct Difference {
  let kind: KernelSnapshot.Kind
  let name: String
  /// nil if it did not exist.
  let before: String?
  /// nil if it no longer exists.
  let after: String?

  var change: String { before == nil ? "added" : after == nil ? "removed" : "changed" }

  /// A change below one such part of the larger amount is small.
  private static let smallPart: UInt64 = 8

  /// The differences between two snapshots, by kind and name.
  ///
  /// - Parameter all: whether to include small ones.
  static func all(_ a: KernelSnapshot, _ b: KernelSnapshot, includingSmall all: Bool) -> [Difference] {
    KernelSnapshot.Kind.allCases.flatMap { kind in
      let (before, after) = (a.amounts[kind] ?? [:], b.amounts[kind] ?? [:])
      return Set(before.keys).union(after.keys).sorted().compactMap { name -> Difference? in
        let (old, new) = (before[name], after[name])
        guard old?.text != new?.text, all || !isSmall(old, new) else { return nil }
        // What one dump does not show is not a difference.
        if old == nil, a.unknown.contains(kind) || before.isEmpty && kind != .module { return nil }
        if new == nil, b.unknown.contains(kind) || after.isEmpty && kind != .module { return nil }
        return Difference(kind: kind, name: name, before: old?.text, after: new?.text)
      }
    }
  }

  private static func isSmall(_ old: KernelSnapshot.Amount?, _ new: KernelSnapshot.Amount?) -> Bool {
    guard let least = (old ?? new)?.leastChange, old?.size ?? new?.size != nil else { return false }
    let (before, after) = (old?.size ?? 0, new?.size ?? 0)
    let change = max(before, after) - min(before, after)
    return change < least || change < max(before, after) / smallPart
  }
}

extension Output {
  /// A difference as a JSON object.
  func differenceJSON(_ difference: Difference) {
    jsonLine { object in
      object.string("what", difference.kind.rawValue)
      object.string("name", difference.name)
      object.string("change", difference.change)
      object.string("before", difference.before)
      object.string("after", difference.after)
    }
  }

  /// Differences as a table.
  func differenceTable(_ differences: [Difference]) {
    table(.left("WHAT"), .left("CHANGE"), .left("NAME"), .left("BEFORE"), .left("AFTER")) { table in
      for difference in differences {
        table.row(
          difference.kind.rawValue, difference.change, difference.name, difference.before ?? "-",
          difference.after ?? "-")
      }
    }
  }

  /// Differences as an HTML page, with the dumps side by side.
  func differencePage(_ differences: [Difference], _ a: String, _ b: String) {
    let escaped = SVG.escaped
    text(
      """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
      <link rel="icon" href="data:,">
      <title>kva diff</title>
      <style>
      \(ViewPage.style)
      </style>
      </head>
      <body>
      <header><h1>Differences</h1><p>before: \(escaped(a))</p><p>after: \(escaped(b))</p></header>
      <main>

      """)
    if differences.isEmpty { text("<p>Nothing differs.</p>\n") }
    for kind in KernelSnapshot.Kind.allCases {
      let rows = differences.filter { $0.kind == kind }
      if rows.isEmpty { continue }
      text("<table class=\"rows\"><caption>\(kind.rawValue)</caption>\n<thead><tr>")
      for header in ["Name", "Change", "Before", "After"] { text("<th scope=\"col\">\(header)</th>") }
      text("</tr></thead>\n<tbody>\n")
      for row in rows {
        text(
          "<tr><th scope=\"row\" data-label=\"Name\">\(escaped(row.name))</th><td data-label=\"Change\">\(row.change)</td>"
        )
        text("<td data-label=\"Before\">\(escaped(row.before ?? "-"))</td>")
        text("<td data-label=\"After\">\(escaped(row.after ?? "-"))</td></tr>\n")
      }
      text("</tbody></table>\n")
    }
    text("</main>\n</body>\n</html>\n")
  }
}
