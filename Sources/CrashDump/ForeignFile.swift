import Bytes

/// What a file that is no dump looks like, and what to do with it.
enum ForeignFile {
  /// One line for the file that begins with `bytes`; nil where they tell nothing.
  static func describe(_ bytes: RawSpan) -> String? {
    for (signature, offset, words) in signatures where bytes.hasBytes(signature, at: offset) { return words }
    if bytes.integer(UInt32.self, at: 0) == 0xfd2f_b528 {
      return "is compressed with zstd; unpack it first (zstd -d)"
    }
    if bytes.integer(UInt16.self, at: 0) == 0x8b1f { return "is compressed with gzip; unpack it first (gunzip)" }
    if isText(bytes) { return "is a text file, not a dump" }
    return nil
  }

  private static let signatures: [(StaticString, Int, String)] = [
    ("QFI", 0, "is a qcow2 disk image; dump the guest's memory with dump-guest-memory instead"),
    ("PAGEDU64", 0, "is a Windows crash dump"),
    ("PAGEDUMP", 0, "is a Windows crash dump"),
    ("MDMP", 0, "is a Windows minidump"),
    ("7zXZ\0", 1, "is compressed with xz; unpack it first (xz -d)"),
    ("BZh", 0, "is compressed with bzip2; unpack it first (bunzip2)"),
    ("PK\u{3}\u{4}", 0, "is a zip archive; unpack it first"),
    ("ustar", 257, "is a tar archive; unpack it first"),
  ]

  /// Whether the first bytes are all printable ASCII or spaces.
  private static func isText(_ bytes: RawSpan) -> Bool {
    for index in 0..<min(bytes.byteCount, 512) {
      guard let byte = bytes.integer(UInt8.self, at: index) else { return false }
      guard (0x20..<0x7f).contains(byte) || (0x09...0x0d).contains(byte) else { return false }
    }
    return true
  }
}
