/// How a page is compressed: the flags of its descriptor. (makedumpfile, diskdump_mod.h)
struct PageCodec: OptionSet {
  let rawValue: UInt32
  /// DUMP_DH_COMPRESSED_ZLIB.
  static let zlib = Self(rawValue: 1)
  /// DUMP_DH_COMPRESSED_LZO.
  static let lzo = Self(rawValue: 2)
  /// DUMP_DH_COMPRESSED_SNAPPY.
  static let snappy = Self(rawValue: 4)
  /// DUMP_DH_COMPRESSED_ZSTD.
  static let zstd = Self(rawValue: 0x20)
  /// All codecs.
  static let all: Self = [.zlib, .lzo, .snappy, .zstd]

  /// The names of the codecs, "none" if there is none.
  var words: String {
    let names: [(Self, String)] = [(.zlib, "zlib"), (.lzo, "LZO"), (.snappy, "snappy"), (.zstd, "zstd")]
    let set = names.filter { contains($0.0) }.map(\.1)
    return set.isEmpty ? "none" : set.joined(separator: ", ")
  }
}
