import Bytes

/// What a file that is not a dump looks like, and what to do with it.
enum ForeignFile {
  /// One line for the file that begins with `bytes`; nil if it is not recognised.
  static func describe(_ bytes: RawSpan) -> String? {
    for (signature, offset, words) in signatures where bytes.hasBytes(signature, at: offset) { return words }
    if bytes.integer(UInt32.self, at: 0) == 0xfd2f_b528 {
      return "is compressed with zstd; unpack it first (zstd -d)"
    }
    if bytes.integer(UInt32.self, at: 0) == 0xafbc_7a37 { return "is a 7z archive; unpack it first" }
    if bytes.integer(UInt16.self, at: 0) == 0x8b1f { return "is compressed with gzip; unpack it first (gunzip)" }
    if bytes.integer(UInt32.self, at: 0) == 0xed26_ff3a {
      return "is an Android sparse image; unpack it first (simg2img)"
    }
    // .vmss and .vmsn, of several versions.
    if let magic = bytes.integer(UInt32.self, at: 0),
      [0xbed2_bed0, 0xbad1_bad1, 0xbed2_bed2, 0xbed3_bed3].contains(magic)
    {
      return "is a saved state of a VMware guest, not a dump; let kdump write one in the guest"
    }
    if let compressed = zlib(bytes) { return compressed }
    if isText(bytes) { return "is a text file, not a dump" }
    return nil
  }

  /// One line for a swap partition that a system hibernated to, or a plain one; nil for anything else. Its signature ends
  /// the first page. (include/linux/swap.h, `union swap_header`; kernel/power/swap.c, `HIBERNATE_SIG`)
  static func describeSwap(_ file: DumpBytes) -> String? {
    for page in [UInt64(4096), 16384, 65536] {
      let words: String?? = file.withBytes((page - 10)..<page) { bytes in
        if bytes.hasBytes("S1SUSPEND", at: 0) {
          return "is swap space with a hibernation image, not a dump; resume it, and let kdump write a dump"
        }
        return bytes.hasBytes("SWAPSPACE2", at: 0) ? "is swap space, not a dump" : nil
      }
      if let found = words ?? nil { return found }
    }
    return nil
  }

  /// A zlib stream (RFC 1950) with a window of 32 KiB, or of 2 KiB as LiME's `compress=1` writes; then no stored
  /// block, which compressed memory does not begin with. Compressed files of LiME's own format have been opened before.
  private static func zlib(_ bytes: RawSpan) -> String? {
    guard let method = bytes.integer(UInt8.self, at: 0), method == 0x78 || method == 0x38,
      let block = bytes.integer(UInt8.self, at: 2), DeflatedFile.recognises(bytes), (1...2).contains(block >> 1 & 3)
    else { return nil }
    return "is compressed with zlib and not in LiME's own format; unpack it first (zlib-flate -uncompress)"
  }

  private static let signatures: [(StaticString, Int, String)] = [
    ("QFI", 0, "is a qcow2 disk image; dump the guest's memory with dump-guest-memory instead"),
    ("PAGEDU64", 0, "is a Windows crash dump"),
    ("PAGEDUMP", 0, "is a Windows crash dump"),
    ("MDMP", 0, "is a Windows minidump"),
    ("7zXZ\0", 1, "is compressed with xz; unpack it first (xz -d)"),
    ("\u{4}\"M\u{18}", 0, "is compressed with LZ4; unpack it first (lz4 -d)"),
    ("\u{2}!L\u{18}", 0, "is compressed with LZ4; unpack it first (lz4 -d)"),
    ("LZO\0", 1, "is compressed with LZO; unpack it first (lzop -d)"),
    ("LZIP", 0, "is compressed with lzip; unpack it first (lzip -d)"),
    ("sNaPpY", 4, "is compressed with snappy; unpack it first (snzip -d)"),
    ("AVML", 0, "is an AVML image of a version other than 2; make it a LiME file first (avml-convert)"),
    ("Rar!", 0, "is a RAR archive; unpack it first"),
    ("LibvirtQemudSave", 0, "is a guest saved by virsh save; dump its memory with virsh dump --memory-only instead"),
    ("QEVM", 0, "is a migration stream of QEMU; dump the guest's memory with dump-guest-memory instead"),
    ("KDMV", 0, "is a VMDK disk image; dump the guest's memory instead"),
    ("vhdxfile", 0, "is a VHDX disk image; dump the guest's memory instead"),
    ("ANDROID!", 0, "is an Android boot image, not a dump; give the folder of the device's RAM dump (DDRCS*.BIN)"),
    ("VNDRBOOT", 0, "is an Android boot image, not a dump; give the folder of the device's RAM dump (DDRCS*.BIN)"),
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
