import ArgumentParser
import KernelVA

/// Answers requests, one after another.
struct Batch {
  let session: Session
  private let output: Output
  private let people: Output
  private var commands = ParsedCommands()

  /// Answers on the output of `session`, which must keep its problems.
  init(_ session: Session) {
    self.session = session
    output = session.output
    people = Output(.string(in: session.output))
  }

  /// Answers the request on `line`; ignores an empty line.
  mutating func answer(_ line: InputLines.Line) {
    if line.bytes.isEmpty, !line.isCut { return }
    var request = Request()
    do throws(Problem) {
      try Self.read(line, &request)
      let command = try commands.command(request)
      answer(request, command)
    } catch {
      begin(request)
      output.text(request.isForPeople ? "\"\"" : "[]")
      end(64, [error])
    }
  }

  private static func read(_ line: InputLines.Line, _ request: inout Request) throws(Problem) {
    if line.isCut { throw .badRequest("a request of more than \(Limits.requestBytes) bytes; split it") }
    let value: JSONValue
    do throws(JSONReader.Malformed) {
      value = try JSONReader.value(line.bytes)
    } catch {
      throw .badRequest("not JSON: \(error.message)")
    }
    guard case .object(let members) = value else { throw .badRequest("a request has to be an object") }
    try request.read(members)
  }

  private func answer(_ request: Request, _ command: any AnsweringCommand) {
    var status: Int32 = 0
    var ending: [Problem] = []
    begin(request)
    output.text(request.isForPeople ? "\"" : "[")
    output.framing = .elements(isFirst: true)
    session.output = request.isForPeople ? people : output
    people.display = command.display.display(on: nil)
    do {
      try command.answer(session)
    } catch let code as ExitCode {
      status = code.rawValue
    } catch let error as LocatedError {
      status = 2
      ending = [Problem(error)]
    } catch {
      status = 64
      ending = [.usage(SessionCommands.line(for: error))]
    }
    people.flush()
    output.framing = .lines
    output.text(request.isForPeople ? "\"" : "]")
    end(status, session.takeProblems() + ending)
  }

  /// Everything before the answer itself. The outcome is not known yet and comes afterwards, so that an answer of any
  /// length is written as it is found.
  private func begin(_ request: Request) {
    output.text("{\"id\":")
    output.jsonIdentifier(request.id)
    output.text(request.isForPeople ? ",\"text\":" : ",\"results\":")
  }

  /// Everything after the answer.
  private func end(_ status: Int32, _ problems: [Problem]) {
    output.text(",\"errors\":")
    output.jsonArray(problems) { $0.problem($1) }
    output.text(",\"status\":")
    output.decimal(UInt64(status.magnitude))
    output.text("}\n")
  }
}
