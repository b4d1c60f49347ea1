import ArgumentParser
import KernelVA

/// The commands of kva as tools of the Model Context Protocol: what each takes, as JSON Schema.
struct AssistantTools {
  /// A command, its description and its parameters besides the dump.
  struct Tool {
    let name: String
    let description: String
    let options: [Option]
    /// The name of its arguments in the help; nil if it takes none.
    let arguments: String?
  }

  /// An option of a command.
  struct Option {
    let name: String
    let description: String
    let isFlag: Bool
    /// The values that it takes; empty if they are not listed.
    let values: [String]
  }

  /// The commands in the order of the help, except the one that opens another file.
  let all: [Tool] = SessionCommands.all.filter { $0 != DiffCommand.self }.compactMap(Self.tool)

  /// The help sections common to all commands: how the dump is opened, and how tables are shown.
  private static let common: Set<String> = ["Dump options", "Output options"]

  /// Options that make sense only on the command line, and those that write files.
  private static let unfit: Set<String> = ["help", "version", "raw", "output", "export"]

  /// The tool that the help of `type` describes.
  private static func tool(_ type: any ParsableCommand.Type) -> Tool? {
    guard let name = type.configuration.commandName,
      case .object(let help)? = try? JSONReader.value(Array(type._dumpHelp().utf8)[...]),
      case .object(let command)? = help["command"], case .array(let arguments)? = command["arguments"]
    else { return nil }
    var options: [Option] = []
    var words: [String] = []
    for case .object(let argument) in arguments {
      if let section = argument.string("sectionTitle"), common.contains(section) { continue }
      let description = argument.string("abstract") ?? ""
      guard let kind = argument.string("kind"), kind != "positional" else {
        if argument.string("valueName") != "dump" { words.append(description) }
        continue
      }
      guard case .object(let preferred)? = argument["preferredName"], preferred.string("kind") == "long",
        let option = preferred.string("name"), !unfit.contains(option)
      else { continue }
      var values: [String] = []
      if case .array(let listed)? = argument["allValues"] {
        for case .string(let value) in listed { values.append(value) }
      }
      options.append(Option(name: option, description: description, isFlag: kind == "flag", values: values))
    }
    return Tool(
      name: name, description: type.configuration.abstract, options: options,
      arguments: words.isEmpty ? nil : words.joined(separator: " "))
  }
}

extension AssistantTools.Tool {
  /// The fields of the tool in an answer to `tools/list`.
  func write(to object: inout JSONObject) {
    object.string("name", name)
    object.string("description", description)
    object.object("inputSchema") { schema in
      schema.string("type", "object")
      schema.object("properties") { properties in
        if let arguments {
          properties.object("arguments") { property in
            property.string("type", "array")
            property.object("items") { $0.string("type", "string") }
            property.string("description", arguments)
          }
        }
        for option in options {
          properties.object(option.name) { property in
            property.string("type", option.isFlag ? "boolean" : "string")
            property.string("description", option.description)
            if !option.values.isEmpty { property.strings("enum", option.values) }
          }
        }
        properties.object("json") { property in
          property.string("type", "boolean")
          property.string("description", "Answer with one JSON object a line, as kva-json(5) describes them.")
        }
      }
      schema.bool("additionalProperties", false)
    }
    object.object("annotations") { annotations in
      annotations.bool("readOnlyHint", true)
      annotations.bool("destructiveHint", false)
      annotations.bool("idempotentHint", true)
      annotations.bool("openWorldHint", false)
    }
  }
}

extension [JSONValue.Member] {
  /// The value of the member `name`; nil without one.
  subscript(_ name: String) -> JSONValue? { first { $0.name == name }?.value }

  /// The member `name`, if it is a string.
  func string(_ name: String) -> String? {
    if case .string(let text)? = self[name] { text } else { nil }
  }
}
