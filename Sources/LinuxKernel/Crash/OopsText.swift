/// The contents of an oops, as far as the log has them. (arch/arm64/mm/fault.c, `mem_abort_decode`, `show_pte`;
/// arch/arm64/kernel/process.c, `__show_regs`; arch/arm64/kernel/traps.c, `panic_bad_stack`)
struct OopsText: Sendable {
  /// The line that announces it.
  var headline: String?
  /// ESR_EL1.
  var esr: UInt64?
  /// The address that could not be accessed.
  var far: UInt64?
  /// The physical address of the root table that was walked (`pgdp`).
  var root: UInt64?
  /// The entries of the walk, by the kernel's names, from the root down.
  var walk: [(name: String, entry: UInt64)] = []
  /// Those of x0 to x29, sp and pstate that were printed, by name.
  var registers: [String: UInt64] = [:]
  /// `pc :` as `%pS` prints it.
  var pc: String?
  /// The file and line of a BUG() or WARN().
  var file: String?
  var line: Int?
  /// What follows `Code: `.
  var code: String?
  /// What KASAN or KFENCE reported.
  var report: CheckerReport?

  /// The most lines of an oops.
  private static let mostLines = 128

  /// Reads the lines from the one that announces the oops to the end of its register dump and code.
  init(_ lines: ArraySlice<Substring>) {
    headline = lines.first.map(String.init)
    if let report = CheckerReport(Array(lines)) {
      self.report = report
      far = report.address
      pc = report.place
      return
    }
    for line in lines.prefix(Self.mostLines) {
      if line.hasPrefix("---[ end ") || line.hasPrefix("Code: ") {
        if line.hasPrefix("Code: ") { code = String(line.dropFirst(6)) }
        break
      }
      take(line)
    }
  }

  private mutating func take(_ line: Substring) {
    if far == nil, let rest = Self.rest(of: line, after: "virtual address ") { far = Self.hex(rest) }
    if far == nil, line.hasPrefix("FAR: ") { far = Self.hex(line.dropFirst(5)) }
    let trimmed = line.drop { $0 == " " }
    if esr == nil {
      for prefix in ["ESR = ", "ESR: "] where trimmed.hasPrefix(prefix) {
        esr = Self.hex(trimmed.dropFirst(prefix.count))
      }
      if esr == nil, let rest = Self.rest(of: line, after: ", code 0x") { esr = Self.hex(rest) }
      if esr == nil, line.hasPrefix("Internal error: ") { esr = Self.error(line) }
    }
    if root == nil, let rest = Self.rest(of: line, after: "pgdp=") ?? Self.rest(of: line, after: "pgdp = ") {
      root = Self.hex(rest)
    }
    if walk.isEmpty, line.hasPrefix("["), let rest = Self.rest(of: line, after: "] pgd=") {
      walk = Self.walk("pgd=" + rest)
    }
    if pc == nil, line.hasPrefix("pc : ") { pc = String(line.dropFirst(5)) }
    if registers["pstate"] == nil, line.hasPrefix("pstate: ") { registers["pstate"] = Self.hex(line.dropFirst(8)) }
    if file == nil, let rest = Self.rest(of: line, after: "kernel BUG at ") ?? Self.rest(of: line, after: " at ") {
      place(rest)
    }
    takeRegisters(line)
  }

  /// ESR_EL1 in `Internal error: Oops - BUG: 00000000f2000800 [#1] SMP`; the 0 of older kernels is not one.
  private static func error(_ line: Substring) -> UInt64? {
    guard let end = line.firstRange(of: " [#") else { return nil }
    let word = line[..<end.lowerBound].split(separator: " ").last ?? ""
    guard word.utf8.count >= 8, word.allSatisfy(\.isHexDigit), let value = hex(word), value >> 26 & 0x3f != 0 else {
      return nil
    }
    return value
  }

  /// `x29: ffff800080003e70 x28: ...`, `sp : ...`.
  private mutating func takeRegisters(_ line: Substring) {
    guard line.hasPrefix("x") || line.hasPrefix("sp : ") else { return }
    let words = line.split(separator: " ").flatMap { $0.split(separator: ":") }
    guard words.count % 2 == 0 else { return }
    for number in stride(from: 0, to: words.count, by: 2) {
      let name = words[number]
      guard name == "sp" || name.first == "x" && Int(name.dropFirst()).map({ (0...30).contains($0) }) ?? false,
        words[number + 1].utf8.count == 16, let value = UInt64(words[number + 1], radix: 16)
      else { return }
      if registers[String(name)] == nil { registers[String(name)] = value }
    }
  }

  private mutating func place(_ text: Substring) {
    guard let word = text.split(separator: " ").first, let colon = word.lastIndex(of: ":") else { return }
    let number = word[word.index(after: colon)...].prefix(while: \.isNumber)
    guard let line = Int(number), word[..<colon].contains(".") else { return }
    file = String(word[..<colon])
    self.line = line
  }

  /// The entries of a line such as `[0000000000000008] pgd=0800000041b1e003, p4d=0800000041b1e003, pud=...`, with or
  /// without the address before them.
  static func walk(_ line: Substring) -> [(name: String, entry: UInt64)] {
    let start = line.firstRange(of: "pgd").map { line[$0.lowerBound...] } ?? line
    return start.split(separator: ",").compactMap { part in
      let words = part.split { $0 == " " || $0 == "=" || $0 == "*" }
      guard words.count == 2, ["pgd", "p4d", "pud", "pmd", "pte"].contains(words[0]), let entry = hex(words[1]) else {
        return nil
      }
      return (String(words[0]), entry)
    }
  }

  private static func rest(of line: Substring, after text: String) -> Substring? {
    line.firstRange(of: text).map { line[$0.upperBound...] }
  }

  /// The number that `text` begins with: hex, with or without 0x.
  static func hex(_ text: Substring) -> UInt64? {
    let digits = (text.hasPrefix("0x") ? text.dropFirst(2) : text).prefix(while: \.isHexDigit)
    return digits.isEmpty || digits.count > 16 ? nil : UInt64(digits, radix: 16)
  }
}
