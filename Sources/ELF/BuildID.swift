import Bytes
import CElf

/// The build ID that the linker gives an ELF file: the same in a kernel and its debug files.
package enum BuildID {
  /// The GNU build ID among `notes`, in lowercase hex; nil if they have none.
  package static func find(in notes: RawSpan) -> String? {
    var notes = NoteIterator(notes)
    while let note = notes.next() {
      guard note.type == UInt32(NT_GNU_BUILD_ID), note.name.byteCount == 4, note.name.hasBytes("GNU\0", at: 0),
        note.descriptor.byteCount <= Limits.buildID
      else { continue }
      return Hex.string(note.descriptor)
    }
    return nil
  }
}
