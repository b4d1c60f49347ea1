import Foundation

/// The schemas of what kva prints, and what in a value does not agree with one.
///
/// Of JSON Schema (draft 2020-12) there is what those files use; any other keyword is an error, so that none
/// goes unchecked.
public struct JSONSchema {
  private let folder: URL
  private let file: String
  private let schema: [String: Any]
  private let files: Files

  private final class Files {
    var read: [String: [String: Any]] = [:]
  }

  /// Reads the schema of the objects of `command`.
  public init(command: String) throws {
    let folder = Checkout.root.appendingPathComponent("man/schema")
    let files = Files()
    self.init(folder, "\(command).json", try Self.read("\(command).json", folder, files), files)
  }

  private init(_ folder: URL, _ file: String, _ schema: [String: Any], _ files: Files) {
    (self.folder, self.file, self.schema, self.files) = (folder, file, schema, files)
  }

  private static func read(_ file: String, _ folder: URL, _ files: Files) throws -> [String: Any] {
    if let known = files.read[file] { return known }
    let data = try Data(contentsOf: folder.appendingPathComponent(file))
    guard let object = try JSONSerialization.jsonObject(with: data) as? [String: Any] else {
      throw TestSupportError("\(file) is no object")
    }
    files.read[file] = object
    return object
  }

  /// What is wrong with `value`: a line for each thing, with the path to it. Empty where nothing is.
  public func problems(_ value: Any, at path: String = "") throws -> [String] {
    var problems: [String] = []
    func wrong(_ what: String) { problems.append("\(path.isEmpty ? "the object" : path): \(what)") }
    let object = value as? [String: Any]
    for (keyword, rule) in schema {
      switch keyword {
      case "$schema", "title", "description", "$defs": break
      case "$ref": problems += try reference(rule).problems(value, at: path)
      case "type":
        let types = rule as? [String] ?? [rule as? String ?? ""]
        if !types.contains(where: { Self.is(value, $0) }) { wrong("\(value) is no \(types.joined(separator: " or "))") }
      case "const": if !Self.equal(value, rule) { wrong("\(value) is not \(rule)") }
      case "enum":
        let all = rule as? [Any] ?? []
        if !all.contains(where: { Self.equal(value, $0) }) { wrong("'\(value)' is none of \(all)") }
      case "pattern":
        if let text = value as? String, text.range(of: rule as? String ?? "", options: .regularExpression) == nil {
          wrong("'\(text.prefix(80))' is not like \(rule)")
        }
      case "minimum":
        if let number = Self.number(value), number < Self.number(rule) ?? 0 { wrong("\(number) is too small") }
      case "maximum":
        if let number = Self.number(value), number > Self.number(rule) ?? 0 { wrong("\(number) is too large") }
      case "required":
        for name in rule as? [String] ?? [] where object.map({ $0[name] == nil }) ?? false { wrong("lacks '\(name)'") }
      case "properties":
        for (name, part) in rule as? [String: Any] ?? [:] {
          guard let member = object?[name] else { continue }
          problems += try sub(part).problems(member, at: "\(path).\(name)")
        }
      case "additionalProperties":
        let known = schema["properties"] as? [String: Any] ?? [:]
        for (name, member) in object ?? [:] where known[name] == nil {
          if rule is [String: Any] {
            problems += try sub(rule).problems(member, at: "\(path).\(name)")
          } else {
            wrong("has '\(name)', which is not described")
          }
        }
      case "items":
        for (number, element) in (value as? [Any] ?? []).enumerated() {
          problems += try sub(rule).problems(element, at: "\(path)[\(number)]")
        }
      case "anyOf", "oneOf":
        let all = try (rule as? [Any] ?? []).map { try sub($0).problems(value, at: path) }
        let fitting = all.filter(\.isEmpty).count
        if fitting == 0 { problems += all.min { $0.count < $1.count } ?? [] }
        if keyword == "oneOf", fitting > 1 { wrong("\(fitting) descriptions fit") }
      case "if":
        let part = try sub(rule).problems(value).isEmpty ? "then" : "else"
        if let then = schema[part] { problems += try sub(then).problems(value, at: path) }
      case "then", "else": break
      default: throw TestSupportError("\(file): '\(keyword)' is a keyword that is not checked")
      }
    }
    return problems
  }

  private func sub(_ part: Any) throws -> JSONSchema {
    guard let part = part as? [String: Any] else { throw TestSupportError("\(file): \(part) is no schema") }
    return JSONSchema(folder, file, part, files)
  }

  /// `FILE#/$defs/NAME`.
  private func reference(_ rule: Any) throws -> JSONSchema {
    let parts = (rule as? String ?? "").components(separatedBy: "#/$defs/")
    guard parts.count == 2 else { throw TestSupportError("\(file): \(rule) is no reference") }
    let name = parts[0].isEmpty ? file : parts[0]
    let definitions = try Self.read(name, folder, files)["$defs"] as? [String: Any]
    guard let definition = definitions?[parts[1]] as? [String: Any] else {
      throw TestSupportError("\(file): \(rule) leads nowhere")
    }
    return JSONSchema(folder, name, definition, files)
  }

  /// JSONSerialization gives true and false as numbers, whose C type alone tells them from 1 and 0.
  private static func isBool(_ value: Any) -> Bool {
    (value as? NSNumber).map { String(cString: $0.objCType) == "c" } ?? false
  }

  private static func number(_ value: Any) -> Double? { isBool(value) ? nil : (value as? NSNumber)?.doubleValue }

  private static func `is`(_ value: Any, _ type: String) -> Bool {
    switch type {
    case "null": value is NSNull
    case "boolean": isBool(value)
    case "integer": number(value).map { $0 == $0.rounded() } ?? false
    case "number": number(value) != nil
    case "string": value is String
    case "array": value is [Any]
    case "object": value is [String: Any]
    default: false
    }
  }

  private static func equal(_ a: Any, _ b: Any) -> Bool {
    if a is NSNull || b is NSNull { return a is NSNull && b is NSNull }
    guard isBool(a) == isBool(b) else { return false }
    return (a as? NSObject) == (b as? NSObject)
  }
}
