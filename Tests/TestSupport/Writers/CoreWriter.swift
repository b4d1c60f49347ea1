import Foundation

/// Writes ELF64 core files, byte by byte: true ones and ones whose fields lie.
///
///     file header, 64 bytes | program headers, 56 each | section header 0, 64 | notes | contents
public struct CoreWriter: Sendable {
  /// A PT_LOAD, as its header shall be.
  public struct Segment: Sendable {
    /// p_paddr.
    public var physical: UInt64
    /// p_vaddr; p_paddr if nil, as QEMU writes it.
    public var virtual: UInt64?
    /// What stands in the file.
    public var contents: [UInt8]
    /// p_offset; where the writer puts the contents if nil.
    public var offset: UInt64?
    /// p_filesz; the length of the contents if nil.
    public var fileSize: UInt64?
    /// p_memsz; p_filesz if nil.
    public var memorySize: UInt64?

    /// Describes a segment.
    public init(
      _ physical: UInt64, _ contents: [UInt8] = [], virtual: UInt64? = nil, offset: UInt64? = nil,
      fileSize: UInt64? = nil, memorySize: UInt64? = nil
    ) {
      self.physical = physical
      self.virtual = virtual
      self.contents = contents
      self.offset = offset
      self.fileSize = fileSize
      self.memorySize = memorySize
    }
  }

  /// A PT_NOTE, as its header shall be.
  public struct Notes: Sendable {
    /// What stands in the file: notes one after the other.
    public var contents: [UInt8]
    /// p_filesz and p_memsz; the length of the contents if nil.
    public var fileSize: UInt64?

    /// Describes a segment of notes.
    public init(_ contents: [UInt8], fileSize: UInt64? = nil) {
      self.contents = contents
      self.fileSize = fileSize
    }
  }

  /// EI_CLASS: 2 for 64 bits.
  public var fileClass: UInt8 = 2
  /// Whether everything is written in big-endian order.
  public var isBigEndian = false
  /// e_type: ET_CORE.
  public var type: UInt16 = 4
  /// e_machine: EM_AARCH64.
  public var machine: UInt16 = 183
  /// e_flags.
  public var flags: UInt32 = 0
  /// e_phoff, where it shall lie.
  public var headerOffset: UInt64?
  /// e_phnum, where it shall lie.
  public var headerCount: UInt16?
  /// Whether the number of program headers stands in section header 0, as it must from 65,535 on.
  public var usesExtendedCount = false
  /// sh_info of section header 0, where it shall lie.
  public var extendedCount: UInt32?
  /// e_shnum beside a section header 0.
  public var sectionCount: UInt16 = 1
  /// The PT_NOTE segments.
  public var notes: [Notes] = []
  /// The PT_LOAD segments.
  public var segments: [Segment] = []

  /// An empty core of arm64.
  public init() {}

  /// A core with these notes and segments.
  public init(notes: [UInt8], _ segments: [Segment]) {
    self.notes = [Notes(notes)]
    self.segments = segments
  }

  /// The file, but for contents whose offset was given.
  public func bytes() -> [UInt8] { layOut().file }

  /// Writes the file, and makes it `size` bytes long where that is given: shorter or longer than it is.
  public func write(to path: String, size: UInt64? = nil) throws {
    let (file, placed) = layOut()
    try Data(file).write(to: URL(fileURLWithPath: path))
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    defer { try? handle.close() }
    for (offset, contents) in placed where !contents.isEmpty {
      try handle.seek(toOffset: offset)
      try handle.write(contentsOf: contents)
    }
    if let size { try handle.truncate(atOffset: size) }
  }

  private func layOut() -> (file: [UInt8], placed: [(UInt64, [UInt8])]) {
    let count = notes.count + segments.count
    let isExtended = usesExtendedCount || count >= 0xffff
    let sectionHeader = UInt64(64 + count * 56)
    var next = sectionHeader + (isExtended ? 64 : 0)

    var headers: [UInt8] = []
    var body: [UInt8] = []
    var placed: [(UInt64, [UInt8])] = []
    func place(_ contents: [UInt8]) -> UInt64 {
      defer { next += UInt64(contents.count) }
      body += contents
      return next
    }
    for note in notes {
      let size = note.fileSize ?? UInt64(note.contents.count)
      headers += header(type: 4, offset: place(note.contents), 0, 0, size, size)
    }
    for segment in segments {
      let offset: UInt64
      if let wanted = segment.offset {
        offset = wanted
        placed.append((wanted, segment.contents))
      } else {
        offset = place(segment.contents)
      }
      let size = segment.fileSize ?? UInt64(segment.contents.count)
      headers += header(
        type: 1, offset: offset, segment.virtual ?? segment.physical, segment.physical, size,
        segment.memorySize ?? size)
    }

    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, fileClass, isBigEndian ? 2 : 1, 1, 0] + .zeros(8)
    file += put(type) + put(machine) + put(UInt32(1)) + put(UInt64(0))
    file += put(headerOffset ?? 64) + put(isExtended ? sectionHeader : 0) + put(flags)
    file += put(UInt16(64)) + put(UInt16(56)) + put(headerCount ?? (isExtended ? 0xffff : UInt16(count)))
    file += put(UInt16(isExtended ? 64 : 0)) + put(isExtended ? sectionCount : 0) + put(UInt16(0))
    file += headers
    if isExtended {
      // sh_info is at 44 of 64.
      file += .zeros(44) + put(extendedCount ?? UInt32(count)) + .zeros(16)
    }
    return (file + body, placed)
  }

  private func header(
    type: UInt32, offset: UInt64, _ virtual: UInt64, _ physical: UInt64, _ fileSize: UInt64,
    _ memorySize: UInt64
  ) -> [UInt8] {
    put(type) + put(UInt32(7)) + put(offset) + put(virtual) + put(physical) + put(fileSize) + put(memorySize)
      + put(UInt64(0))
  }

  private func put<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    let bytes = [UInt8](little: value)
    return isBigEndian ? bytes.reversed() : bytes
  }
}

extension CoreWriter {
  /// One note: its header, name and descriptor, each padded to 4 bytes.
  public static func note(_ name: String, _ type: UInt32, _ descriptor: [UInt8]) -> [UInt8] {
    let text = Array(name.utf8) + [0]
    func padding(_ count: Int) -> [UInt8] { .zeros((4 - count % 4) % 4) }
    return [UInt8](little: UInt32(text.count)) + [UInt8](little: UInt32(descriptor.count))
      + [UInt8](little: type)
      + text + padding(text.count) + descriptor + padding(descriptor.count)
  }

  /// NT_PRSTATUS of one CPU: pr_pid at 32, pr_reg (x0 to x30, sp, pc, pstate) at 112, 392 bytes in all.
  public static func prstatus(pid: UInt32, registers: [UInt64]) -> [UInt8] {
    let values = registers + [UInt64](repeating: 0, count: max(0, 34 - registers.count))
    let fields: [UInt8] =
      .zeros(32) + [UInt8](little: pid) + .zeros(76) + values.flatMap { [UInt8](little: $0) }
    return note("CORE", 1, fields + .zeros(392 - fields.count))
  }

  /// The VMCOREINFO note.
  public static func vmcoreinfo(_ text: String) -> [UInt8] { note("VMCOREINFO", 0, Array(text.utf8)) }
}

extension [UInt8] {
  /// `count` zeros.
  public static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

  /// The bytes of `value`, the lowest first.
  public init<T: FixedWidthInteger>(little value: T) {
    self = (0..<(T.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> T($0 * 8)) }
  }
}
