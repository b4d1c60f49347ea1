import KernelVA

/// A piece of requested memory, within one page.
struct MemoryPiece {
  var address: UInt64
  var count: Int
  var physical: PhysicalAddress?
  var bytes: [UInt8] = []
  var problem: Unreadable?
  var doubt: Diagnostic?
}

extension Output {
  /// One piece as a JSON object.
  func memoryJSON(_ piece: MemoryPiece) {
    jsonLine { object in
      object.hex("address", piece.address)
      object.hex("physical", piece.physical?.rawValue)
      object.bytes("bytes", piece.problem == nil ? piece.bytes[...] : nil)
      object.diagnostic("doubt", piece.doubt)
      object.diagnostic("message", piece.problem?.message)
    }
  }

  /// One piece as text: sixteen bytes a line, in hex and ASCII, or as words.
  func memoryText(_ piece: MemoryPiece, wordSize: Int?) {
    for offset in stride(from: 0, to: piece.bytes.count, by: 16) {
      let line = piece.bytes[offset..<min(offset + 16, piece.bytes.count)]
      digits(piece.address &+ UInt64(offset), atLeast: 16)
      text(" ")
      if let wordSize { memoryWords(line, wordSize) } else { memoryBytes(line) }
      newline()
    }
  }

  /// The width of a line of separate bytes.
  private static var byteColumns: Int { 86 }

  private func memoryBytes(_ line: ArraySlice<UInt8>) {
    if let width = display.width, width < Self.byteColumns { return memoryGroups(line) }
    for (index, byte) in line.enumerated() {
      spaces(index == 8 ? 2 : 1)
      digits(ofByte: byte)
    }
    spaces(3 * (16 - line.count) + (line.count <= 8 ? 1 : 0) + 2)
    memoryCharacters(line)
  }

  /// Bytes in groups of four, in memory order, if the terminal is too narrow for separate bytes.
  private func memoryGroups(_ line: ArraySlice<UInt8>) {
    for (index, byte) in line.enumerated() {
      if index % 4 == 0 { spaces(1) }
      digits(ofByte: byte)
    }
    spaces(2 * (16 - line.count) + (16 - line.count) / 4 + 1)
    memoryCharacters(line)
  }

  private func memoryCharacters(_ line: ArraySlice<UInt8>) {
    text("|")
    for byte in line { self.byte((0x20..<0x7f).contains(byte) ? byte : UInt8(ascii: ".")) }
    text("|")
  }

  /// Little-endian words; an incomplete last word is shown byte by byte.
  private func memoryWords(_ line: ArraySlice<UInt8>, _ size: Int) {
    var rest = line
    while rest.count >= size {
      var value: UInt64 = 0
      for byte in rest.prefix(size).reversed() { value = value << 8 | UInt64(byte) }
      spaces(1)
      digits(value, atLeast: size * 2)
      rest = rest.dropFirst(size)
    }
    for byte in rest {
      spaces(1)
      digits(ofByte: byte)
    }
  }
}
