/// The registers presented to debuggers, and the XML documents that describe the target. (GDB manual, "AArch64
/// Features", "Thread List Format", "Memory Map Format")
enum TargetDescription {
  /// The size of each register, in bytes, in the order of `features`: x0 to x30, sp, pc and cpsr; then v0 to v31, fpsr
  /// and fpcr, and the two masks.
  static func sizes(signs: Bool) -> [Int] {
    let core = [Int](repeating: 8, count: 33) + [4]
    return signs ? core + [Int](repeating: 16, count: 32) + [4, 4, 8, 8] : core
  }

  /// `target.xml`.
  ///
  /// - Parameter signs: whether return addresses are signed, so that debuggers need the masks of the code.
  static func features(signs: Bool) -> String {
    var text = """
      <?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0">\
      <architecture>aarch64</architecture><feature name="org.gnu.gdb.aarch64.core">
      """
    for number in 0...30 { text += "<reg name=\"x\(number)\" bitsize=\"64\"/>" }
    text += """
      <reg name="sp" bitsize="64" type="data_ptr"/><reg name="pc" bitsize="64" type="code_ptr"/>\
      <reg name="cpsr" bitsize="32"/></feature>
      """
    if signs {
      // No dump has their values, but gdb 13 confuses its registers if it gets only those of pointer authentication.
      text += "<feature name=\"org.gnu.gdb.aarch64.fpu\">"
      for number in 0...31 { text += "<reg name=\"v\(number)\" bitsize=\"128\" type=\"uint128\"/>" }
      text += "<reg name=\"fpsr\" bitsize=\"32\"/><reg name=\"fpcr\" bitsize=\"32\"/></feature>"
      // gdb 14 has two more for the upper half; without them these serve both halves.
      text += """
        <feature name="org.gnu.gdb.aarch64.pauth"><reg name="pauth_dmask" bitsize="64"/>\
        <reg name="pauth_cmask" bitsize="64"/></feature>
        """
    }
    return text + "</target>\n"
  }

  /// The list of threads.
  static func threads(_ table: ThreadTable) -> String {
    var text = "<?xml version=\"1.0\"?>\n<threads>\n"
    for thread in table.all {
      text += "<thread id=\"\(Hex.text(thread.id))\""
      if let cpu = thread.cpu { text += " core=\"\(cpu)\"" }
      text += " name=\"\(escaped(thread.name))\">\(escaped(thread.details))</thread>\n"
    }
    return text + "</threads>\n"
  }

  /// The memory map: everything may be readable, nothing writable. gdb would not read what the map leaves out.
  static let memoryMap = """
    <?xml version="1.0"?><!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" \
    "http://sourceware.org/gdb/gdb-memory-map.dtd"><memory-map>\
    <memory type="rom" start="0x0" length="0x8000000000000000"/>\
    <memory type="rom" start="0x8000000000000000" length="0x8000000000000000"/></memory-map>

    """

  /// `text` escaped for XML. Names come from memory: anything but printable ASCII becomes `?`.
  static func escaped(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "&"): result += "&amp;"
      case UInt8(ascii: "<"): result += "&lt;"
      case UInt8(ascii: ">"): result += "&gt;"
      case UInt8(ascii: "\""): result += "&quot;"
      case 0x20..<0x7f: result.unicodeScalars.append(Unicode.Scalar(byte))
      default: result += "?"
      }
    }
    return result
  }

  /// `text` with `?` for everything but printable ASCII, and for what would end or alter a packet.
  static func printable(_ text: String) -> String {
    String(
      decoding: text.utf8.map { 0x20..<0x7f ~= $0 && !BinaryData.isReserved($0) ? $0 : UInt8(ascii: "?") },
      as: UTF8.self)
  }
}
