import Foundation
import TestSupport
import Testing

/// Every step of the tutorial, typed.
@Suite struct TutorialTests {
  /// A command, and the lines that the page shows of its output; "..." stands for any lines.
  struct Step: Sendable, CustomStringConvertible {
    let command: String
    let lines: [String]
    var description: String { command }
  }

  static let steps: [Step] = {
    let page = Checkout.root.appendingPathComponent("man/kva-tutorial.7")
    guard let source = try? String(contentsOf: page, encoding: .utf8) else { return [] }
    return source.components(separatedBy: ".Bd -literal -compact\n").dropFirst().compactMap { block in
      let lines = block.components(separatedBy: "\n.Ed")[0].split(separator: "\n", omittingEmptySubsequences: false)
        .map { $0.replacingOccurrences(of: "\\&", with: "").replacingOccurrences(of: "\\e", with: "\\") }
      guard let command = lines.first, command.hasPrefix("$ ") else { return nil }
      return Step(command: String(command.dropFirst(2)), lines: Array(lines.dropFirst()))
    }
  }()

  @Test("The page has ten steps")
  func count() throws {
    let page = try String(contentsOf: Checkout.root.appendingPathComponent("man/kva-tutorial.7"), encoding: .utf8)
    #expect(page.components(separatedBy: "\n.Ss ").count == 11)
    #expect(Self.steps.count >= 10)
  }

  @Test("Each command prints what the page shows", arguments: steps)
  func step(_ step: Step) throws {
    try Scratch.withFolder { folder in
      try FileManager.default.createSymbolicLink(
        atPath: folder.appendingPathComponent("vmcore").path,
        withDestinationPath: DumpEntry.named("oops-612-null").path("vmcore.d31-elf"))
      let products = (Kva.path as NSString).deletingLastPathComponent
      let result = try Program.run(
        "PATH=$1:$PATH; cd \"$2\" || exit 9; \(step.command)", [products, folder.path])
      #expect(result.status == 0, "\(result.standardError)")
      var printed = result.lines[...]
      for piece in step.lines.split(separator: "...", omittingEmptySubsequences: false) {
        guard !piece.isEmpty else { continue }
        let isFirst = piece.startIndex == step.lines.startIndex
        let start = printed.indices.first { printed[$0...].starts(with: piece) }
        let place = try #require(start, "\(piece.first ?? "") and what follows is printed: \(result.lines)")
        if isFirst { #expect(place == printed.startIndex) }
        printed = printed[(place + piece.count)...]
      }
      if step.lines.last != "..." { #expect(printed.isEmpty, "\(printed)") }
    }
  }
}
