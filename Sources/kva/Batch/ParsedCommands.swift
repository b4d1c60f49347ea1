import ArgumentParser
import KernelVA

/// Commands with their options, parsed once for all queries that differ only in their arguments.
struct ParsedCommands {
  private var kept: [String: any AnsweringCommand] = [:]

  /// The command of `request`, with its arguments.
  mutating func command(_ request: Request) throws(Problem) -> any AnsweringCommand {
    var words = request.isForPeople ? [] : ["--json"]
    var key = request.command + (request.isForPeople ? "\0" : "")
    for option in request.options {
      guard let word = try Self.word(option) else { continue }
      words.append(word)
      key += "\0" + word
    }
    do {
      var command = try kept[key] ?? parse(request.command, words, key: key)
      try command.take(request.arguments)
      return command
    } catch let error as Problem {
      throw error
    } catch {
      throw .usage(SessionCommands.line(for: error))
    }
  }

  private mutating func parse(_ name: String, _ words: [String], key: String) throws -> any AnsweringCommand {
    guard let type = SessionCommands.named(name) else {
      let names = SessionCommands.all.compactMap { $0.configuration.commandName }
      throw Problem.usage("there is no command '\(name)' to ask; there are \(names.joined(separator: ", "))")
    }
    let command: any AnsweringCommand = try type.asked(words + ["--"] + type.sampleArguments)
    if kept.count >= Limits.keptParses { kept = [:] }
    kept[key] = command
    return command
  }

  /// An option as on the command line; nil if it is turned off.
  private static func word(_ option: JSONValue.Member) throws(Problem) -> String? {
    let name = option.name
    guard let first = name.utf8.first, UInt8(ascii: "a")...UInt8(ascii: "z") ~= first,
      name.utf8.allSatisfy({ UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || 0x30...0x39 ~= $0 || $0 == 0x2d })
    else { throw .usage("'\(name)' is no option: give a long one without its dashes, such as 'walk'") }
    guard !["help", "version", "raw", "pager", "color"].contains(name) else {
      throw .usage("'\(name)' is no option of a request")
    }
    switch option.value {
    case .bool(true): return "--\(name)"
    case .bool(false), .null: return nil
    case .string(let text), .number(let text): return "--\(name)=\(text)"
    default: throw .usage("the value of '\(name)' has to be a string, a number, true or false")
    }
  }
}
