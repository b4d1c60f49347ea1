import Bytes

/// A folder as the boot loader of a Qualcomm device leaves it after a crash: files of RAM (DDRCS0_0.BIN and so on), and a
/// list of where each lay.
///
///     dump_info.txt   pref 0xSTART SIZE DESCRIPTION ... FILE: the start in hex, the size in decimal
///     load.cmm        d.load.binary FILE 0xSTART /noclear
///
/// (linux-ramdump-parser-v2, ramdump.py, `AutoDumpInfoDumpInfoTXT`, `AutoDumpInfoCMM`)
enum RAMDumpFolder {
  /// A file of RAM and where it lay.
  struct Part: Equatable {
    var name: String
    var start: UInt64
    /// Its size, if the list has it.
    var size: UInt64?
  }

  /// Bytes of a list that are read: a line for each of some hundred files.
  private static let listBytes = 1 << 20

  /// The files of RAM that a list names; empty if `names` has no list.
  ///
  /// - Parameter bytes: the bytes of a file of the folder.
  static func parts(_ names: [String], _ bytes: (String) -> DumpBytes?) -> [Part] {
    for (list, parse) in [("dump_info.txt", infoLine), ("load.cmm", scriptLine)] where names.contains(list) {
      guard let file = bytes(list), let text = file.bytes(0..<file.byteCount, limit: listBytes) else { continue }
      let parts = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline).compactMap {
        parse($0.split(whereSeparator: \.isWhitespace).map(String.init))
      }
      // Other files hold smaller memories, and registers.
      let memory = parts.filter { $0.name.uppercased().hasPrefix("DDR") && names.contains($0.name) }
      if !memory.isEmpty { return memory }
    }
    return []
  }

  private static func infoLine(_ words: [String]) -> Part? {
    guard words.count >= 4, let name = words.last, let start = address(words[1]), let size = UInt64(words[2]) else {
      return nil
    }
    return Part(name: name, start: start, size: size)
  }

  private static func scriptLine(_ words: [String]) -> Part? {
    guard words.count == 4, words[0].lowercased() == "d.load.binary", let start = address(words[2]) else { return nil }
    return Part(name: words[1], start: start, size: nil)
  }

  private static func address(_ word: String) -> UInt64? {
    guard word.hasPrefix("0x") || word.hasPrefix("0X") else { return nil }
    return Hex.number(word.dropFirst(2))
  }
}
