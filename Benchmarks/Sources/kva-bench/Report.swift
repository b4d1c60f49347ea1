import Foundation

/// One line of the report: how fast each did the same work on the same file, one after another.
struct Row: Codable {
  /// What was done.
  var work: String
  /// On which dump.
  var dump: String
  /// What the figures are: "ns per translation", "ms", "MB/s".
  var unit: String
  /// Whether more is better.
  var isRate = false
  var kva: Figure?
  var c: Figure?
  var drgn: Figure?
  /// Why a figure is missing.
  var note: String?

  /// What one of them took.
  struct Figure: Codable {
    var value: Double
    /// The most memory that its process had at once.
    var peakKiB: Int?
  }

  /// How many times as long as `other` kva took; for rates how many times as much it did.
  private func ratio(to other: Figure?) -> Double? {
    guard let kva, let other, other.value > 0 else { return nil }
    return kva.value / other.value
  }

  fileprivate var columns: [String] {
    func number(_ value: Double?) -> String {
      value.map { String(format: $0 >= 100 ? "%.0f" : $0 >= 10 ? "%.1f" : "%.2f", $0) } ?? "-"
    }
    func memory(_ figure: Figure?) -> String {
      figure?.peakKiB.map { String(format: "%.1f", Double($0) / 1024) } ?? "-"
    }
    return [
      work, dump, unit, number(kva?.value), number(c?.value), number(ratio(to: c)), number(drgn?.value),
      number(ratio(to: drgn)), memory(kva), memory(c), memory(drgn), note ?? "",
    ]
  }
}

/// All rows, printed as they come.
final class Report {
  private var rows: [Row] = []
  private let heads = [
    "work", "dump", "unit", "kva", "C", "kva/C", "drgn", "kva/drgn", "kva MiB", "C MiB", "drgn MiB", "note",
  ]
  private let widths = [26, 14, 20, 9, 9, 7, 9, 9, 8, 7, 9, 0]

  /// Prints the head.
  func begin() { line(heads) }

  /// Prints and keeps a row.
  func add(_ row: Row) {
    rows.append(row)
    line(row.columns)
  }

  private func line(_ columns: [String]) {
    var text = ""
    for (index, column) in columns.enumerated() {
      let pad = String(repeating: " ", count: max(0, widths[index] - column.count))
      text += index < 3 || index == columns.count - 1 ? column + pad + " " : pad + column + " "
    }
    print(text)
    fflush(nil)
  }

  /// Writes all rows as JSON.
  func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(rows).write(to: URL(fileURLWithPath: path))
  }
}
