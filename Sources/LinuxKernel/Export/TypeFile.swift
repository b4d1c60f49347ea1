import Bytes
import DebugInfo

/// A C header of types, or the BTF of a kernel or a module, as a file.
enum TypeFile {
  /// Writes a C header of `types`, group by group.
  ///
  /// - Throws: `LocatedError` if it cannot be written.
  static func writeHeader(of types: [[CType]], _ comment: String, to path: String) throws(LocatedError) -> HeaderSummary
  {
    let header = CHeader(comment)
    for group in types { header.add(group) }
    header.end()
    try write(Array(header.text.utf8), to: path)
    return HeaderSummary(definitions: header.count, opaque: header.opaque, isCutShort: header.isCutShort)
  }

  /// Writes `bytes`.
  ///
  /// - Throws: `LocatedError` if they cannot be written.
  static func write(_ bytes: [UInt8], to path: String) throws(LocatedError) {
    var file = try OutputFile(path)
    try file.write(bytes.rawSpan, at: 0)
    try file.finish(size: UInt64(bytes.count))
  }
}

/// The contents of a C header.
package struct HeaderSummary: Sendable {
  /// The number of types defined.
  package let definitions: Int
  /// The number of records written as plain bytes, since no C declaration yields their layout.
  package let opaque: Int
  /// Whether types were left out, since they depend on each other in too long a chain or there are too many.
  package let isCutShort: Bool
}
