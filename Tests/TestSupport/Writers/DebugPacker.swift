/// Packs the debug sections of an ELF file, as `objcopy --compress-debug-sections` does.
public struct DebugPacker {
  /// The ways of packing.
  public enum Style: String, CaseIterable, Sendable {
    /// SHF_COMPRESSED, ELFCOMPRESS_ZLIB.
    case zlib
    /// SHF_COMPRESSED, ELFCOMPRESS_ZSTD.
    case zstd
    /// `.zdebug` sections with "ZLIB" and the size before zlib's bytes.
    case gnu
  }

  /// The way.
  public var style: Style
  /// The size that a section of this name claims, where it is not the true one.
  public var claim: (_ name: String, _ size: UInt64) -> UInt64 = { $1 }
  /// What a section of this name has packed, where it is not what it should be.
  public var content: (_ name: String, _ packed: [UInt8]) -> [UInt8] = { $1 }
  /// ch_type, where it is not the true one.
  public var type: UInt32?

  /// Packs in the given way.
  public init(_ style: Style) { self.style = style }

  /// `file`, a little-endian 64-bit ELF file, with each `.debug` section packed; what they were stays in the file, unused.
  public func pack(_ file: [UInt8]) -> [UInt8] {
    var result = file
    func number(_ offset: Int, _ size: Int) -> Int {
      file[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    func set<T: FixedWidthInteger>(_ value: T, at offset: Int) {
      result.replaceSubrange(offset..<(offset + MemoryLayout<T>.size), with: [UInt8](little: value))
    }
    func align() { result += [UInt8](repeating: 0, count: -result.count & 7) }
    let headers = (0..<number(60, 2)).map { number(40, 8) + $0 * 64 }
    let strings = headers[number(62, 2)]
    let names = Array(file[number(strings + 24, 8)...].prefix(number(strings + 32, 8)))
    var moreNames = names
    for header in headers {
      let name = String(decoding: names[number(header, 4)...].prefix { $0 != 0 }, as: UTF8.self)
      guard name.hasPrefix(".debug_") else { continue }
      let plain = Array(file[number(header + 24, 8)...].prefix(number(header + 32, 8)))
      let packed = content(name, (style == .zstd ? KdumpCodec.zstd : .zlib).pack(plain))
      let size = claim(name, UInt64(plain.count))
      align()
      set(UInt64(result.count), at: header + 24)
      if style == .gnu {
        set(UInt32(moreNames.count), at: header)
        moreNames += ".z\(name.dropFirst())\0".utf8
        result += "ZLIB".utf8 + [UInt8](little: size.byteSwapped) + packed
        set(UInt64(packed.count + 12), at: header + 32)
      } else {
        set(UInt64(number(header + 8, 8) | 0x800), at: header + 8)
        result += [UInt8](little: type ?? (style == .zstd ? 2 : 1)) + [UInt8](little: UInt32(0))
        result += [UInt8](little: size) + [UInt8](little: UInt64(1)) + packed
        set(UInt64(packed.count + 24), at: header + 32)
      }
    }
    set(UInt64(result.count), at: strings + 24)
    set(UInt64(moreNames.count), at: strings + 32)
    return result + moreNames
  }
}
