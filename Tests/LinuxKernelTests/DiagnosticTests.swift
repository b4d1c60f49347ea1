import Bytes
import Foundation
import TestSupport
import Testing

/// The codes of diagnostics, and what the library says in their texts.
struct DiagnosticTests {
  private static func text(_ path: String) throws -> String {
    try String(contentsOf: Checkout.root.appendingPathComponent(path), encoding: .utf8)
  }

  /// The Swift files of a folder, with their paths in the checkout.
  private static func sources(_ folder: String) throws -> [(path: String, text: String)] {
    let paths = try FileManager.default.subpathsOfDirectory(
      atPath: Checkout.root.appendingPathComponent(folder).path)
    return try paths.filter { $0.hasSuffix(".swift") }.map { ("\(folder)/\($0)", try text("\(folder)/\($0)")) }
  }

  @Test("The schema and kva-json(5) have the codes of the library, and no other")
  func documented() throws {
    let codes = Diagnostic.Code.allCases.map(\.rawValue)
    let schema = try JSONSerialization.jsonObject(with: Data(try Self.text("man/schema/common.json").utf8))
    let types = try #require((schema as? [String: Any])?["$defs"] as? [String: Any])
    let described = try #require((types["diagnosticCode"] as? [String: Any])?["enum"] as? [String])
    #expect(described == codes)
    let page = try Self.text("man/kva-json.5")
    let start = try #require(page.range(of: ".Sh DIAGNOSTIC CODES")).upperBound
    let section = page[start...].prefix(upTo: try #require(page[start...].range(of: "\n.Sh ")).lowerBound)
    let items = section.split(separator: "\n").filter { $0.hasPrefix(".It Cm ") }.map { String($0.dropFirst(7)) }
    #expect(items == codes)
  }

  @Test("Each code is written somewhere")
  func used() throws {
    let names = try Self.text("Sources/Bytes/DiagnosticCode.swift").matches(of: /case (\w+) = "/).map { $0.output.1 }
    #expect(names.count == Diagnostic.Code.allCases.count)
    let all = try Self.sources("Sources").filter {
      !$0.path.hasSuffix("DiagnosticCode.swift") && !$0.path.hasSuffix("Advice.swift")
    }.map(\.text).joined()
    for name in names { #expect(all.contains(try Regex("\\.\(name)\\b")), "nothing says .\(name)") }
  }

  @Test("An object with a message, a doubt, warnings or notes has their codes")
  func coded() throws {
    let folder = Checkout.root.appendingPathComponent("man/schema")
    var seen = 0
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      var parts: [Any] = [try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appendingPathComponent(file)))]
      while let part = parts.popLast() {
        if let list = part as? [Any] { parts += list }
        guard let object = part as? [String: Any] else { continue }
        parts += object.values
        guard object["type"] as? String == "object", let fields = object["properties"] as? [String: Any] else {
          continue
        }
        for (name, code) in [
          ("message", "messageCode"), ("doubt", "doubtCode"), ("warnings", "diagnostics"), ("notes", "diagnostics"),
          ("unchecked", "diagnostics"),
        ] where fields[name] != nil {
          seen += 1
          #expect(fields[code] != nil || name == "message" && fields["code"] != nil, "\(file): \(fields.keys.sorted())")
        }
      }
    }
    #expect(seen > 10)
  }

  @Test("The library names neither options nor commands of kva")
  func silent() throws {
    let pages = try FileManager.default.contentsOfDirectory(atPath: Checkout.root.appendingPathComponent("man").path)
    let commands = pages.filter { $0.hasPrefix("kva-") && $0.hasSuffix(".1") }.map { $0.dropFirst(4).dropLast(2) }
    #expect(commands.count > 20)
    // Other programs have options too, and the C interface is opened with words like those of kva.
    for (path, text) in try Self.sources("Sources")
    where !path.hasPrefix("Sources/kva/") && !path.hasPrefix("Sources/KernelVAC/") {
      for line in text.split(separator: "\n") where !line.contains(/(objcopy|virsh dump) --/) {
        let code = line.drop { $0 == " " }
        guard !code.hasPrefix("//") else { continue }
        for literal in code.matches(of: /"([^"]*)"/).map(\.output.1) {
          #expect(!literal.contains(/--[a-z]/), "\(path): \(literal)")
          for command in commands { #expect(!literal.contains("kva \(command) "), "\(path): \(literal)") }
        }
      }
    }
  }
}
