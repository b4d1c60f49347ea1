import Bytes

/// One note of a PT_NOTE segment or SHT_NOTE section.
package struct Note: ~Escapable {
  /// n_type, whose meaning depends on the name.
  package let type: UInt32
  /// The name with its NUL.
  package let name: RawSpan
  /// The note's contents.
  package let descriptor: RawSpan

  @_lifetime(copy name, copy descriptor)
  init(type: UInt32, name: RawSpan, descriptor: RawSpan) {
    self.type = type
    self.name = name
    self.descriptor = descriptor
  }
}

/// The notes of a segment or section, in order, up to its end or to the first that does not fit in it.
///
///     namesz u32 | descsz u32 | type u32 | name, padded to 4 | descriptor, padded to 4
///
/// (elf(5), "Notes (Nhdr)")
package struct NoteIterator: ~Escapable {
  private let bytes: RawSpan
  private var offset = 0

  /// Begins at the first of `bytes`.
  @_lifetime(copy bytes)
  package init(_ bytes: RawSpan) { self.bytes = bytes }

  /// The next note; nil at the end.
  @_lifetime(copy self)
  package mutating func next() -> Note? {
    // A kernel's core has notes of zeros for CPUs that did not stop, 424 bytes each (crash_notes), which is no
    // multiple of a header: skip them a word at a time.
    while bytes.integer(UInt32.self, at: offset) == 0 { offset += 4 }
    guard let nameSize = bytes.integer(UInt32.self, at: offset),
      let descriptorSize = bytes.integer(UInt32.self, at: offset + 4),
      let type = bytes.integer(UInt32.self, at: offset + 8)
    else { return nil }
    let nameStart = offset + 12
    let descriptorStart = nameStart + Self.padded(nameSize)
    offset = descriptorStart + Self.padded(descriptorSize)
    guard let name = bytes.slice(at: nameStart, count: Int(nameSize)),
      let descriptor = bytes.slice(at: descriptorStart, count: Int(descriptorSize))
    else {
      offset = bytes.byteCount
      return nil
    }
    return Note(type: type, name: name, descriptor: descriptor)
  }

  private static func padded(_ size: UInt32) -> Int { (Int(size) + 3) & ~3 }
}
