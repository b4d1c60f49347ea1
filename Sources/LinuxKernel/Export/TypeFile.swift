import Bytes
import DebugInfo

/// A C header of types, or the BTF of a kernel or a module, as a file.
enum TypeFile {
  /// Writes a C header of `types`, one group after another.
  ///
  /// - Throws: `LocatedError` when it cannot be written.
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
  /// - Throws: `LocatedError` when they cannot be written.
  static func write(_ bytes: [UInt8], to path: String) throws(LocatedError) {
    var file = try OutputFile(path)
    try file.write(bytes.rawSpan, at: 0)
    try file.finish(size: UInt64(bytes.count))
  }
}

/// What a C header came to.
package struct HeaderSummary: Sendable {
  /// How many types have a definition.
  package let definitions: Int
  /// How many records are bytes alone, since no declaration gives their members the places that they have.
  package let opaque: Int
  /// Whether types were left out, since they need each other in too long a chain or there are too many.
  package let isCutShort: Bool
}
