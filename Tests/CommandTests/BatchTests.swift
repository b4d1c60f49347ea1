import Foundation
import TestSupport
import Testing

/// `kva batch`: many questions to one process.
@Suite struct BatchTests {
  /// A request as a line.
  static func request(
    _ command: String, _ arguments: [Any] = [], _ options: [String: Any] = [:], id: Any? = nil
  ) throws -> String {
    var object: [String: Any] = ["command": command, "arguments": arguments, "options": options]
    object["id"] = id
    return String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
  }

  /// What each command may be asked, as a request and as a command line.
  static let questions: [(command: String, arguments: [String], options: [String])] = [
    ("info", [], []), ("resolve", ["init_task+8", "0x1", "nonsense"], ["walk"]),
    ("resolve", ["init_task"], ["verify"]), ("vtop", ["0xffff800008000000"], []),
    ("resolve", ["0x400000", "0"], ["ttbr0=1"]), ("resolve", ["0x400000"], ["ttbr0=cpu77"]),
    ("identify", ["init_task", "0xffff000000000000", ""], []), ("read", ["init_task", "0x20"], []),
    ("rd", ["init_task"], []), ("read", ["0x40000000", "16"], ["physical"]), ("read", ["nowhere"], []),
    ("regions", [], []), ("ptdump", [], ["region=fixmap"]), ("audit", [], []),
    ("rmap", ["0x40210000", "0x1"], []), ("symbols", ["vmalloc_*"], []), ("sym", ["no*such"], []),
    ("modules", [], []), ("vmalloc", [], []), ("ps", [], []), ("dmesg", [], []),
    ("layout", [], ["kernel=5.11", "page-size=64K", "va-bits=52"]),
  ]

  @Test("Every command answers what it prints as a process of its own, as objects and as text")
  func sameAsCommands() throws {
    let dump = try DumpEntry.named("c61-4k48-nokaslr").path("vmcore.elf")
    var input = ""
    for (number, question) in Self.questions.enumerated() {
      var options: [String: Any] = [:]
      for option in question.options {
        let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
        options[parts[0]] = parts.count == 2 ? parts[1] : true
      }
      for json in [true, false] {
        options["json"] = json
        input += try Self.request(question.command, question.arguments, options, id: number) + "\n"
      }
    }
    let batch = try Kva.run(["batch", dump], input: input)
    #expect(batch.status == 0)
    #expect(batch.standardError == "")
    var answers = batch.lines.makeIterator()
    for (number, question) in Self.questions.enumerated() {
      let place = question.command == "layout" ? [] : [dump]
      let words = [question.command] + place + question.arguments + question.options.map { "--\($0)" }
      for json in [true, false] {
        let alone = try Kva.run(words + (json ? ["--json"] : []))
        let next = answers.next()
        let line = try #require(next)
        let answer = try parseObject(line)
        #expect(answer["id"] as? Int == number)
        #expect(answer["status"] as? Int == Int(alone.status), "\(words)")
        if json {
          #expect(line.hasPrefix("{\"id\":\(number),\"results\":[\(alone.lines.joined(separator: ","))],\"errors\":["))
        } else {
          #expect(answer["text"] as? String == alone.text, "\(words)")
          #expect(answer["results"] == nil)
        }
        let errors = try #require(answer["errors"] as? [[String: Any]])
        let told = errors.map { "kva: \($0["file"] as? String ?? ""): \($0["message"] as? String ?? "")" }
        #expect(told == alone.errorLines, "\(words)")
        #expect(errors.allSatisfy { $0["kind"] as? String == "not-found" })
      }
    }
    #expect(answers.next() == nil)
  }

  static let badRequests: [(line: String, kind: String, word: String)] = [
    ("nonsense", "bad-request", "not JSON"), ("[]", "bad-request", "object"), ("{}", "bad-request", "'command'"),
    (#"{"command":1}"#, "bad-request", "'command'"),
    (#"{"command":"info","argument":[]}"#, "bad-request", "'argument'"),
    (#"{"command":"info","arguments":{}}"#, "bad-request", "'arguments'"),
    (#"{"command":"info","arguments":[true]}"#, "bad-request", "argument"),
    (#"{"command":"info","options":[]}"#, "bad-request", "'options'"),
    (#"{"command":"info","options":{"walk":true,"walk":true}}"#, "bad-request", "already"),
    (
      #"{"command":"info","options":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"i":1}}"#,
      "bad-request",
      "already"
    ),
    (
      #"{"command":"info","options":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"b":1}}"#,
      "bad-request",
      "already"
    ),
    (#"{"command":"nosuch"}"#, "usage", "resolve"), (#"{"command":"batch"}"#, "usage", "'batch'"),
    (#"{"command":"info","arguments":["x"]}"#, "usage", "'x'"), (#"{"command":"read"}"#, "usage", "<address>"),
    (#"{"command":"read","arguments":["0x0","many"]}"#, "usage", "'many'"),
    (#"{"command":"read","arguments":["0x0",1,2]}"#, "usage", "'0x2'"),
    (#"{"command":"rmap"}"#, "usage", "<physical>"), (#"{"command":"rmap","arguments":["x"]}"#, "usage", "'x'"),
    (#"{"command":"symbols","arguments":["a","b"]}"#, "usage", "'b'"),
    (#"{"command":"resolve"}"#, "usage", "arguments"),
    (#"{"command":"resolve","arguments":["-"]}"#, "usage", "arguments"),
    (#"{"command":"resolve","options":{"nonsense":true}}"#, "usage", "--nonsense"),
    (#"{"command":"resolve","options":{"--walk":true}}"#, "usage", "without its dashes"),
    (#"{"command":"resolve","options":{"walk":[]}}"#, "usage", "'walk'"),
    (#"{"command":"resolve","options":{"ttbr0":true}}"#, "usage", "--ttbr0"),
    (#"{"command":"resolve","options":{"vmlinux":"x"}}"#, "usage", "when kva starts"),
    (#"{"command":"resolve","options":{"page-size":"4K"}}"#, "usage", "when kva starts"),
    (#"{"command":"read","arguments":["0x0"],"options":{"raw":true}}"#, "usage", "'raw'"),
    (#"{"command":"info","options":{"help":true}}"#, "usage", "'help'"),
    (#"{"command":"ptdump","options":{"format":"kernel"}}"#, "usage", "--json"),
    (#"{"command":"layout","options":{"kernel":"5.11","page-size":"4K","va-bits":36}}"#, "usage", "36"),
  ]

  @Test("A bad request is answered with what is wrong, and the next one as if nothing was")
  func badRequests() throws {
    try withKernel { path in
      let good = try Self.request("resolve", ["ffff800008005000"], id: "good")
      // Twice: what was parsed for the first stays for the second.
      let input = (Self.badRequests + Self.badRequests).map { $0.line + "\n" + good + "\n" }.joined()
      let result = try Kva.run(["batch", path], input: input)
      #expect(result.status == 0)
      let answers = try result.objects()
      #expect(answers.count == Self.badRequests.count * 4)
      for (number, bad) in (Self.badRequests + Self.badRequests).enumerated() {
        let (answer, next) = (answers[number * 2], answers[number * 2 + 1])
        #expect(answer["status"] as? Int == 64, "\(bad.line)")
        #expect((answer["results"] as? [Any])?.isEmpty == true)
        let errors = try #require(answer["errors"] as? [[String: Any]])
        #expect(errors.count == 1)
        #expect(errors.first?["kind"] as? String == bad.kind, "\(bad.line)")
        let message = errors.first?["message"] as? String ?? ""
        #expect(!message.contains("\n"))
        #expect(message.contains(bad.word), "\(bad.line): \(message)")
        #expect(next["id"] as? String == "good")
        #expect(next["status"] as? Int == 0)
      }
    }
  }

  /// Texts that are JSON, and that are not, as the id of a request.
  static let ids: [(text: String, isSound: Bool)] = [
    ("1", true), ("-0.5e+10", true), ("12345678901234567890123456789", true), (#""""#, true),
    (#""a\"\\\/\b\f\n\r\t""#, true), (#""\u00e9\u20ac\ud83d\ude00 é €""#, true), ("null", true), (" \t3\r ", true),
    ("01", false), ("+1", false), (".5", false), ("1.", false), ("1e", false), ("-", false), ("0x1", false),
    ("NaN", false), ("nul", false), ("True", false), ("'a'", false), (#""a"#, false), (#""\x41""#, false),
    (#""\ud83d""#, false), (#""\ud83d\u0041""#, false), (#""\ude00""#, false), (#""\u12g4""#, false),
    (#""\u12"#, false), ("\"\u{1}\"", false), ("1,", false), ("1 2", false), ("", false),
    (String(repeating: "[", count: 100_000), false), (#"1,"id":1"#, false), (#"1,"\u0069d":1"#, false),
  ]

  @Test("JSON is read strictly, and an id comes back as it was")
  func strictness() throws {
    try withKernel { path in
      for (text, isSound) in Self.ids {
        let line = #"{"id":\#(text),"command":"resolve","arguments":["ffff800008005000"]}"#
        let answer = try Kva.run(["batch", path], input: line + "\n").object()
        #expect(answer["status"] as? Int == (isSound ? 0 : 64), "\(text.prefix(40))")
        guard isSound else { continue }
        let asked = try parseObject(line)
        #expect(answer["id"] as? NSObject == asked["id"] as? NSObject, "\(text)")
      }
    }
  }

  @Test("Text that is no UTF-8 is refused, and what is too long or has no end")
  func hostileLines() throws {
    try withKernel { path in
      let good = try Self.request("resolve", ["ffff800008005000"], id: "good")
      try Scratch.withFolder { folder in
        let lines: [[UInt8]] = [
          Array(#"{"command":""#.utf8) + [0xc3, 0x28] + Array(#""}"#.utf8), [0x7b, 0x00, 0x7d],
          [0xef, 0xbb, 0xbf] + Array(good.utf8), Array(repeating: UInt8(ascii: " "), count: 6 << 20) + Array(good.utf8),
          Array(#"{"command":"resolve","arguments":["#.utf8) + Array(repeating: UInt8(ascii: "["), count: 5 << 20),
        ]
        for line in lines {
          let result = try Kva.run(["batch", path], input: line + Array("\n\(good)\n\(good)".utf8))
          let answers = try result.objects()
          #expect(answers.map { $0["status"] as? Int } == [64, 0, 0])
          let errors = answers.first?["errors"] as? [[String: Any]]
          #expect(errors?.first?["kind"] as? String == "bad-request")
        }
      }
    }
  }

  @Test("Each answer comes before the next request is read")
  func conversation() throws {
    try withKernel { path in
      let session = try KvaSession(["batch", path])
      for page in [0x1000, 0x2000, 0x5000] {
        let address = "0x" + String(HandmadeKernel.text + UInt64(page), radix: 16)
        try session.send(Self.request("resolve", [address], id: page) + "\n")
        let answer = try parseObject(try session.line())
        #expect(answer["id"] as? Int == page)
        let results = answer["results"] as? [[String: Any]]
        #expect(results?.first?["physical"] as? String == "0x" + String(HandmadeKernel.base + UInt64(page), radix: 16))
      }
      #expect(try session.finish() == 0)
    }
  }

  @Test("A dump that cannot be opened ends it; a kernel that cannot be found is told in each answer")
  func noDump() throws {
    let nothing = try Kva.run(["batch", "/nonexistent/vmcore"], input: try Self.request("info") + "\n")
    #expect(nothing.status == 2)
    #expect(nothing.text == "")
    #expect(nothing.errorLines.count == 1)
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      var kernel = HandmadeKernel()
      kernel.vmcoreinfo = []
      try kernel.core.write(to: path)
      let input = try ["resolve", "info", "resolve"].map {
        try Self.request($0, $0 == "info" ? [] : ["ffff800008005000"]) + "\n"
      }
      let result = try Kva.run(["batch", path], input: input.joined())
      let answers = try result.objects()
      #expect(answers.map { $0["status"] as? Int } == [2, 1, 2])
      #expect(answers.map { ($0["results"] as? [Any])?.count } == [0, 1, 0])
      for answer in answers {
        let errors = try #require(answer["errors"] as? [[String: Any]])
        #expect(errors.count == 1)
        #expect(errors.first?["kind"] as? String == "missing")
        #expect(errors.first?["file"] as? String == path)
      }
      #expect(result.standardError == "")
    }
  }

  private func withKernel(_ body: (String) throws -> Void) throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try HandmadeKernel().core.write(to: path)
      try body(path)
    }
  }
}
