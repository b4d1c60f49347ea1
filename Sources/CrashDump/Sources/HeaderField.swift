import Bytes

/// An integer field of a header: its offset and its width.
struct HeaderField<Value: FixedWidthInteger & BitwiseCopyable & Sendable>: Sendable {
  let offset: UInt64
  init(_ offset: UInt64) { self.offset = offset }
}

/// A header in a file, read field by field.
struct HeaderReader {
  let file: DumpBytes
  /// Where the header begins.
  let start: UInt64

  /// The value of `field`; 0 if the file ends before it.
  subscript<Value>(field: HeaderField<Value>) -> Value { file.integer(Value.self, at: start &+ field.offset) ?? 0 }

  /// Where `field` is in the file, for errors.
  func offset<Value>(of field: HeaderField<Value>) -> UInt64 { start &+ field.offset }
}
