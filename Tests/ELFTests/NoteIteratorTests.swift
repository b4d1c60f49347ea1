import Bytes
import ELF
import Testing

/// Notes as a list of bytes, and build IDs among them. The layout is that of elf(5).
struct NoteIteratorTests {
  private static func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }

  private static func note(_ name: [UInt8], _ type: UInt32, _ descriptor: [UInt8]) -> [UInt8] {
    func padded(_ bytes: [UInt8]) -> [UInt8] { bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4) }
    return word(UInt32(name.count)) + word(UInt32(descriptor.count)) + word(type) + padded(name) + padded(descriptor)
  }

  private static let gnu = Array("GNU\0".utf8)

  private func types(_ bytes: [UInt8]) -> [UInt32] {
    var notes = NoteIterator(bytes.rawSpan)
    var result: [UInt32] = []
    while let note = notes.next() { result.append(note.type) }
    return result
  }

  private func buildID(_ bytes: [UInt8]) -> String? { BuildID.find(in: bytes.rawSpan) }

  @Test func notesComeInOrderWithTheirParts() {
    let bytes = Self.note([0x41, 0], 7, [1, 2, 3]) + Self.note(Self.gnu, 8, [])
    var notes = NoteIterator(bytes.rawSpan)
    var parts: [[UInt8]] = []
    while let note = notes.next() { parts += [note.name.array(), note.descriptor.array()] }
    #expect(parts == [[0x41, 0], [1, 2, 3], Self.gnu, []])
    #expect(types(bytes) == [7, 8])
  }

  @Test("Zeros between notes are skipped a word at a time", arguments: [4, 12, 424])
  func zeros(_ count: Int) {
    let zeros = [UInt8](repeating: 0, count: count)
    #expect(types(zeros + Self.note(Self.gnu, 1, [9]) + zeros + Self.note(Self.gnu, 2, [9]) + zeros) == [1, 2])
  }

  @Test("A note that does not fit ends the list", arguments: 1..<17)
  func cut(_ missing: Int) {
    let bytes = Self.note(Self.gnu, 1, [1]) + Self.note(Self.gnu, 2, [1, 2, 3, 4])
    #expect(types(Array(bytes.dropLast(missing))) == [1])
  }

  @Test("Sizes that no file has end the list")
  func hugeSizes() {
    let first = Self.note(Self.gnu, 1, [1])
    for sizes in [(UInt32.max, 0), (4, UInt32.max), (.max, .max)] {
      #expect(types(first + Self.word(sizes.0) + Self.word(sizes.1) + Self.word(2) + Self.gnu + first) == [1])
    }
  }

  @Test func theBuildIDIsTheOneOfGNU() {
    let id: [UInt8] = [0x0c, 0x5b, 0xff, 0x00]
    let other = Self.note(Array("Linux\0".utf8), 3, [1, 2, 3, 4])
    #expect(buildID(other + Self.note(Self.gnu, 1, id) + Self.note(Self.gnu, 3, id)) == "0c5bff00")
    #expect(buildID(other) == nil)
    #expect(buildID(Self.note(Self.gnu, 3, [UInt8](repeating: 1, count: 65))) == nil)
    #expect(buildID(Self.note(Self.gnu, 3, [UInt8](repeating: 1, count: 64)))?.count == 128)
  }
}
