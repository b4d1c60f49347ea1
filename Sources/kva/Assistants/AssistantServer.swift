import ArgumentParser
import KernelVA

/// Answers the messages of the Model Context Protocol (revision 2025-06-18): JSON-RPC 2.0, a message a line.
struct AssistantServer {
  /// The protocol revisions in which the messages used here are the same, the newest first.
  private static let revisions = ["2025-06-18", "2025-03-26", "2024-11-05"]
  /// The most bytes of an answer's text that an assistant can usefully read.
  private static let answerBytes = 256 << 10

  private let session: Session
  private let output: Output
  private let tools = AssistantTools().all
  private var commands = ParsedCommands()

  /// The error codes of JSON-RPC.
  private enum Failure: Int {
    case notJSON = -32700
    case notRequest = -32600
    case unknownMethod = -32601
    case badParameters = -32602
  }

  /// - Parameter session: collects the problems of commands.
  init(_ session: Session) {
    self.session = session
    output = session.output
  }

  /// Answers the message on `line`; a notification, which has no ID, has no answer.
  mutating func answer(_ line: InputLines.Line) {
    if line.bytes.isEmpty, !line.isCut { return }
    guard !line.isCut, let value = try? JSONReader.value(line.bytes) else {
      return fail(.null, .notJSON, line.isCut ? "more than \(Limits.requestBytes) bytes" : "not JSON")
    }
    guard case .object(let message) = value, message.string("jsonrpc") == "2.0" else {
      return fail(.null, .notRequest, "a message has to be an object of JSON-RPC 2.0")
    }
    // A response that belongs to no request is ignored.
    guard let method = message.string("method") else {
      return message["id"] == nil || message["result"] != nil || message["error"] != nil
        ? () : fail(message["id"] ?? .null, .notRequest, "there is no method")
    }
    guard let id = message["id"] else { return }
    var parameters: [JSONValue.Member] = []
    switch message["params"] {
    case .object(let members)?: parameters = members
    case nil, .null?: break
    default: return fail(id, .badParameters, "'params' has to be an object")
    }
    switch method {
    case "initialize": initialize(id, parameters)
    case "ping": succeed(id) { _ in }
    case "tools/list": succeed(id) { $0.array("tools", tools) { object, tool in tool.write(to: &object) } }
    case "tools/call": call(id, parameters)
    default: fail(id, .unknownMethod, "there is no method '\(method)'")
    }
  }

  private func initialize(_ id: JSONValue, _ parameters: [JSONValue.Member]) {
    let wanted = parameters.string("protocolVersion") ?? ""
    succeed(id) { result in
      result.string("protocolVersion", Self.revisions.contains(wanted) ? wanted : Self.revisions[0])
      result.object("capabilities") { $0.object("tools") { $0.bool("listChanged", false) } }
      result.object("serverInfo") { info in
        info.string("name", "kva")
        info.string("version", Release.version)
      }
      result.string(
        "instructions",
        """
        Answers about one crash dump of an arm64 Linux kernel. Begin with report, then fault and stack; identify says what \
        any address is, print takes C expressions over the dump. Nothing can be changed.
        """)
    }
  }

  private mutating func call(_ id: JSONValue, _ parameters: [JSONValue.Member]) {
    guard let name = parameters.string("name"), let tool = tools.first(where: { $0.name == name }) else {
      return fail(id, .badParameters, "there is no tool '\(parameters.string("name") ?? "")'")
    }
    var request = Request()
    request.command = name
    request.isForPeople = true
    switch parameters["arguments"] {
    case .object(let members)?:
      for member in members {
        switch (member.name, member.value) {
        case ("arguments", .array(let words)):
          for word in words {
            guard case .string(let text) = word else { return answer(id, "'arguments' are strings", isError: true) }
            request.arguments.append(text)
          }
        case ("json", .bool(let isJSON)): request.isForPeople = !isJSON
        case (let option, _) where tool.options.contains { $0.name == option }: request.options.append(member)
        default: return answer(id, "'\(member.name)' is nothing that \(name) takes", isError: true)
        }
      }
    case nil, .null?: break
    default: return fail(id, .badParameters, "'arguments' has to be an object")
    }
    let (text, isError) = answered(request)
    answer(id, text, isError: isError)
  }

  /// Answers a tool call; errors in its arguments go to the assistant, which can then correct them.
  private func answer(_ id: JSONValue, _ text: String, isError: Bool) {
    succeed(id) { result in
      result.array("content", [text]) { content, text in
        content.string("type", "text")
        content.string("text", text)
      }
      result.bool("isError", isError)
    }
  }

  /// The output of a command, truncated if too long, followed by its problems; and whether it failed.
  private mutating func answered(_ request: Request) -> (text: String, isError: Bool) {
    let collected = CollectedOutput(limit: Self.answerBytes)
    let page = Output(.collected(collected))
    session.output = page
    defer { session.output = output }
    var isError = false
    var endings: [String] = []
    do {
      let command = try commands.command(request)
      page.display = command.display.display(on: nil)
      try command.answer(session)
    } catch is ExitCode {
      // The problem has already been reported.
    } catch let problem as Problem {
      isError = true
      endings = [problem.message]
    } catch let error as LocatedError {
      isError = true
      endings = [Problem(error).description]
    } catch {
      isError = true
      endings = [SessionCommands.line(for: error)]
    }
    page.flush()
    var text = String(decoding: collected.bytes, as: UTF8.self)
    if collected.isFull { text += "\n(cut here; ask for less)\n" }
    for problem in session.takeProblems() { endings.append(problem.description) }
    for ending in endings { text += "\(ending)\n" }
    return (text, isError)
  }

  // MARK: - Answers

  private func succeed(_ id: JSONValue, _ result: (inout JSONObject) -> Void) {
    message(id) { $0.object("result", result) }
  }

  private func fail(_ id: JSONValue, _ failure: Failure, _ text: String) {
    message(id) { message in
      message.object("error") { error in
        error.number("code", failure.rawValue)
        error.string("message", text)
      }
    }
  }

  private func message(_ id: JSONValue, _ rest: (inout JSONObject) -> Void) {
    output.jsonLine { message in
      message.string("jsonrpc", "2.0")
      message.memberKey("id")
      output.jsonIdentifier(id)
      rest(&message)
    }
    output.flush()
  }
}
