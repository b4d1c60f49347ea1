import CLzo2
import CSnappy
import CZlib
import CZstd

/// The ways a page of a kdump file may be stored.
public enum KdumpCodec: CaseIterable, Sendable {
  /// As it is.
  case raw
  /// A zlib stream (RFC 1950).
  case zlib
  /// An LZO1X stream without a header.
  case lzo
  /// A raw snappy block.
  case snappy
  /// A zstd frame.
  case zstd

  /// DUMP_DH_COMPRESSED_*, or 0.
  public var flag: UInt32 {
    switch self {
    case .raw: 0
    case .zlib: 1
    case .lzo: 2
    case .snappy: 4
    case .zstd: 0x20
    }
  }

  /// `page`, packed by the codec's own library.
  public func pack(_ page: [UInt8]) -> [UInt8] {
    // Room for what no codec can make smaller.
    var packed = [UInt8](repeating: 0, count: page.count * 2 + 1024)
    let size: Int
    switch self {
    case .raw: return page
    case .zlib:
      var made = uLongf(packed.count)
      precondition(compress2(&packed, &made, page, uLong(page.count), 1) == Z_OK)
      size = Int(made)
    case .lzo:
      var made = lzo_uint(packed.count)
      // LZO1X_1_MEM_COMPRESS: 16,384 pointers.
      var work = [UInt64](repeating: 0, count: 16384)
      precondition(lzo1x_1_compress(page, lzo_uint(page.count), &packed, &made, &work) == LZO_E_OK)
      size = Int(made)
    case .snappy:
      var made = packed.count
      let status = page.withUnsafeBytes { from in
        packed.withUnsafeMutableBytes { to in
          snappy_compress(
            from.bindMemory(to: CChar.self).baseAddress, page.count, to.bindMemory(to: CChar.self).baseAddress, &made)
        }
      }
      precondition(status == SNAPPY_OK)
      size = made
    case .zstd:
      size = ZSTD_compress(&packed, packed.count, page, page.count, 1)
      precondition(ZSTD_isError(size) == 0)
    }
    return Array(packed[..<size])
  }
}
