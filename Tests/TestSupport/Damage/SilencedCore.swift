import Foundation

/// An ELF64 core that a test takes from what it says of itself, or puts something else there.
public struct SilencedCore {
  /// The file.
  public private(set) var file: Data
  private let start: Int
  private let headers: [(type: UInt64, offset: Int, physical: UInt64, fileSize: Int)]

  /// Reads the core at `path`.
  public init(path: String) throws {
    let file = try Data(contentsOf: URL(fileURLWithPath: path))
    func integer(_ offset: Int, _ size: Int) -> UInt64 {
      (0..<size).reversed().reduce(0) { $0 << 8 | UInt64(file[offset + $1]) }
    }
    let start = Int(integer(32, 8))
    headers = (0..<Int(integer(56, 2))).map { start + $0 * 56 }.map { at in
      (integer(at, 4), Int(integer(at + 8, 8)), integer(at + 24, 8), Int(integer(at + 32, 8)))
    }
    self.file = file
    self.start = start
  }

  /// Writes the core to `path` with its zeros left out as holes, and its last segment grown by a hole of `growth`
  /// bytes.
  public func writeSparse(to path: String, growth: Int) throws {
    guard
      let last = headers.indices.filter({ headers[$0].type == 1 }).max(by: { headers[$0].offset < headers[$1].offset })
    else { throw TestSupportError("no segments") }
    var file = file[..<(headers[last].offset + headers[last].fileSize)]
    let size = UInt64(headers[last].fileSize + growth)
    // p_filesz and p_memsz; the headers stand behind the ELF header.
    for field in [32, 40] {
      let at = start + last * 56 + field
      withUnsafeBytes(of: size.littleEndian) { file.replaceSubrange(at..<(at + 8), with: $0) }
    }
    try Data().write(to: URL(fileURLWithPath: path))
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    for start in stride(from: 0, to: file.count, by: 64 << 10) {
      let block = file[start..<min(start + (64 << 10), file.count)]
      guard block.contains(where: { $0 != 0 }) else { continue }
      try handle.seek(toOffset: UInt64(start))
      try handle.write(contentsOf: block)
    }
    try handle.truncate(atOffset: UInt64(file.count + growth))
    try handle.close()
  }

  private static let noteName = Data("VMCOREINFO\0".utf8)

  /// Gives the VMCOREINFO note a name that nobody knows.
  public mutating func hideNote() {
    for header in headers where header.type == 4 {
      let range = header.offset..<(header.offset + header.fileSize)
      while let found = file.range(of: Self.noteName, in: range) {
        file.replaceSubrange(found, with: Data("NOT-KNOWN-X".utf8))
      }
    }
  }

  /// Replaces `text` by another of its length in the notes.
  public mutating func replaceInNotes(_ text: String, _ other: String) throws {
    try replaceInNotes(Data(text.utf8), Data(other.utf8))
  }

  /// Replaces the first of `bytes` by others, as many, in the notes.
  public mutating func replaceInNotes(_ bytes: Data, _ others: Data) throws {
    guard bytes.count == others.count else { throw TestSupportError("not as many bytes") }
    for header in headers where header.type == 4 {
      guard let found = file.range(of: bytes, in: header.offset..<(header.offset + header.fileSize)) else {
        continue
      }
      file.replaceSubrange(found, with: others)
      return
    }
    throw TestSupportError("no note has these bytes")
  }

  /// The offsets in the file of the 4 KiB pages of memory that hold VMCOREINFO or its note's image.
  public var pagesOfVMCoreInfo: [Int] {
    headers.filter { $0.type == 1 }.flatMap { header in
      stride(from: header.offset, to: header.offset + header.fileSize - 4095, by: 4096).filter { page in
        [0, 24].contains { file[(page + $0)..<(page + $0 + 10)].elementsEqual("OSRELEASE=".utf8) }
      }
    }
  }

  /// Zeros each page of memory that holds VMCOREINFO.
  public mutating func eraseVMCoreInfo() {
    for page in pagesOfVMCoreInfo { file.replaceSubrange(page..<(page + 4096), with: Data(count: 4096)) }
  }

  /// Changes the text of VMCOREINFO in the note and in memory to what `change` makes of it, which is no longer; NULs
  /// stand behind it.
  public mutating func changeVMCoreInfo(_ change: (String) -> String) throws {
    var places = pagesOfVMCoreInfo.map { file[$0..<($0 + 10)].elementsEqual("OSRELEASE=".utf8) ? $0 : $0 + 24 }
    for header in headers where header.type == 4 {
      let range = header.offset..<(header.offset + header.fileSize)
      if let found = file.range(of: Self.noteName, in: range) { places.append(found.lowerBound + 12) }
    }
    for place in places {
      let end = file[place...].firstIndex(where: { $0 == 0 || $0 > 0x7e }) ?? file.endIndex
      let text = Array(change(String(decoding: file[place..<end], as: UTF8.self)).utf8)
      guard text.count <= end - place else { throw TestSupportError("longer than before") }
      file.replaceSubrange(place..<end, with: Data(text + .zeros(end - place - text.count)))
    }
  }

  /// Puts `text` into a page of memory that is all zeros, NUL behind it.
  public mutating func addPage(_ text: String) throws {
    for header in headers where header.type == 1 {
      for page in stride(from: header.offset, to: header.offset + header.fileSize - 4095, by: 4096)
      where file[page..<(page + 4096)].allSatisfy({ $0 == 0 }) {
        file.replaceSubrange(page..<(page + text.utf8.count), with: Data(text.utf8))
        return
      }
    }
    throw TestSupportError("no page of zeros")
  }

  /// The memory alone: from the lowest address of a segment to the highest, zeros where there is none.
  public var memory: Data {
    let loads = headers.filter { $0.type == 1 && $0.fileSize > 0 }
    guard let start = loads.map(\.physical).min(),
      let end = loads.map({ $0.physical + UInt64($0.fileSize) }).max()
    else { return Data() }
    var memory = Data(count: Int(end - start))
    for load in loads {
      let at = Int(load.physical - start)
      memory.replaceSubrange(at..<(at + load.fileSize), with: file[load.offset..<(load.offset + load.fileSize)])
    }
    return memory
  }
}
