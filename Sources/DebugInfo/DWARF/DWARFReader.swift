import Bytes
import CDw

/// One file's DWARF through libdw.
///
/// Types are found by scanning the compilation units in order until the name turns up. What was scanned is indexed by
/// name, so that all queries of a process together scan each unit once.
struct DWARFReader: ~Copyable {
  let session: DWARFSession

  private var index = DWARFTypeIndex()
  /// How much of `.debug_info` was released to the system.
  private var forgotten = 0

  /// The code ranges of the units, in order; made if `.debug_aranges` does not have an address.
  var codeRanges: [CodeRange]?

  /// Opens the DWARF of `image`; only its headers are read, unless it is compressed.
  ///
  /// - Throws: `LocatedError` if it has none, or one that libdw cannot read.
  init(_ image: ELFImage) throws(LocatedError) {
    guard image.hasDWARF else {
      throw LocatedError(file: image.path, kind: .missing, "has no DWARF: it was built or stripped without")
    }
    if image.sections.contains(where: \.isPacked) {
      session = try UnpackedImage.of(image) { copy throws(LocatedError) in try DWARFSession(copy, named: image.path) }
    } else {
      session = try DWARFSession(image, named: image.path)
    }
  }

  // MARK: - Finding types by name

  /// The offset of the entry that defines the structure, union, typedef, enumeration or base type `name`; if several
  /// do, the first, and a structure before another type of the same unit.
  ///
  /// - Parameter kinds: the kinds of definition, in order of preference.
  mutating func definition(
    of name: String, _ kinds: [DWARFAbbreviations.Definition] = [.tag, .type]
  ) -> UInt64? {
    let text = Array(name.utf8)
    guard !text.isEmpty, !text.contains(0) else { return nil }
    if let offset = index.definition(of: text, kinds) { return isNamed(text, at: offset) ? offset : nil }
    guard mayExist(text) else { return nil }
    while passUnit() {
      if let offset = index.definition(of: text, kinds) { return isNamed(text, at: offset) ? offset : nil }
    }
    return nil
  }

  private mutating func passUnit() -> Bool {
    forgetPassed()
    return Self.passUnit(&index, session)
  }

  private static func passUnit(_ index: inout DWARFTypeIndex, _ session: borrowing DWARFSession) -> Bool {
    index.passUnit(
      DWARFTypeIndex.Sections(
        info: session[.info], abbreviations: session[.abbreviations], strings: session[.strings],
        stringOffsets: session[.stringOffsets]))
  }

  /// Releases the memory of units already scanned: they are read again if one of their entries is needed.
  private mutating func forgetPassed() {
    guard index.nextUnit - forgotten >= 16 << 20, let offset = session.image.debugInfo?.offset else { return }
    let (start, overflow) = offset.addingReportingOverflow(UInt64(forgotten))
    if !overflow { session.image.file.forget(start..<(start &+ UInt64(index.nextUnit - forgotten))) }
    forgotten = index.nextUnit
  }

  /// False if no entry can have the name `text`.
  ///
  /// Compilers put names into `.debug_str`, except those no longer than an offset, which has 8 bytes if the first
  /// unit's length says so. Linkers merge a name with the tail of a longer one, so the byte before it may be anything.
  private func mayExist(_ text: [UInt8]) -> Bool {
    let isWide = session[.info].integer(UInt32.self, at: 0) == .max
    let wanted = text + [0]
    let strings = session[.strings]
    return wanted.count <= (isWide ? 8 : 4) || strings.isEmpty || strings.firstOccurrence(of: wanted) != nil
  }

  /// Whether the entry at `offset` has the name `text`: two names may share a hash.
  private func isNamed(_ text: [UInt8], at offset: UInt64) -> Bool {
    guard let entry = session.entry(at: offset), let name = entry.name else { return false }
    return name.isEqual(text)
  }

  /// The work done so far to find types.
  var work: Int { index.work }
}
