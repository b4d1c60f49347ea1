import Foundation

let arguments = CommandLine.arguments
func fail(_ text: String) -> Never {
  FileHandle.standardError.write(Data("kva-bench: \(text)\n".utf8))
  exit(1)
}
if arguments.count == 7, arguments[1] == "run", let workload = Workload(rawValue: arguments[2]),
  let side = Side(rawValue: arguments[3]), let count = Int(arguments[5]), let rounds = Int(arguments[6])
{
  do {
    let result = try workload.run(side, on: Subject(arguments[4]), count: count, rounds: rounds)
    print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
  } catch {
    fail("\(error)")
  }
}
