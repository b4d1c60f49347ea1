import Bytes

/// The header of a unit in `.debug_info`.
///
///     length u32, or 0xffffffff and u64 | version u16 | then until version 4: abbreviations | address size u8
///     from version 5 on: type u8 | address size u8 | abbreviations | what the type has besides
struct DWARFUnitHeader {
  /// Where the next unit begins.
  let end: Int
  /// Its content; nil if its version or type is unknown.
  let content: Content?

  /// The content of a unit.
  struct Content {
    /// The offset of its abbreviations in `.debug_abbrev`.
    var abbreviations: UInt64
    /// The sizes that they depend on.
    var sizes: DWARFAbbreviations.Sizes
    /// The start of its entries.
    var entries: Int
  }

  /// Reads the header at `start`; nil if there is no complete unit.
  init?(_ info: RawSpan, at start: Int) {
    guard let short = info.integer(UInt32.self, at: start) else { return nil }
    var length = UInt64(short)
    var position = start + 4
    var offsetSize = 4
    if short == 0xffff_ffff {
      length = info.integer(UInt64.self, at: position) ?? .max
      position += 8
      offsetSize = 8
    }
    guard length <= UInt64(info.byteCount - min(position, info.byteCount)), length > 0 else { return nil }
    end = position + Int(length)
    content = Self.content(info, at: position, offsetSize)
  }

  private static func content(_ info: RawSpan, at start: Int, _ offsetSize: Int) -> Content? {
    guard let version = info.integer(UInt16.self, at: start), (2...5).contains(version) else { return nil }
    var position = start + 2
    var kind: UInt8 = 1
    var addressSize: UInt8?
    if version == 5 {
      kind = info.integer(UInt8.self, at: position) ?? 0
      addressSize = info.integer(UInt8.self, at: position + 1)
      position += 2
    }
    guard let offset = info.number(of: offsetSize, at: &position) else { return nil }
    if version < 5 {
      addressSize = info.integer(UInt8.self, at: position)
      position += 1
    }
    switch kind {
    case 1, 3: break  // DW_UT_compile, DW_UT_partial
    case 2, 6: position += 8 + offsetSize  // DW_UT_type, DW_UT_split_type
    case 4, 5: position += 8  // DW_UT_skeleton, DW_UT_split_compile
    default: return nil
    }
    return Content(
      abbreviations: offset, sizes: .init(version: version, offset: offsetSize, address: Int(addressSize ?? 8)),
      entries: position)
  }
}
