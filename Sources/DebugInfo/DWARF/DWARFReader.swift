import Bytes
import CDw

/// One file's DWARF through libdw.
///
/// Types are found by going through the compilation units from the first one on, until the name turns up. What
/// was gone through is remembered by name, so that all questions of a process together pass each unit once.
struct DWARFReader: ~Copyable {
  let session: DWARFSession

  private var index = DWARFTypeIndex()
  /// How far `.debug_info` was given back to the system.
  private var forgotten = 0

  /// Where the code of each unit lies, in order; made when `.debug_aranges` does not say.
  var codeRanges: [CodeRange]?

  /// Opens the DWARF of `image`; only its headers are read, unless it is packed.
  ///
  /// - Throws: `LocatedError` when it has none, or one that libdw cannot read.
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

  /// Where the entry is that defines the structure, union, typedef, enumeration or base type `name`; where several
  /// do, the first, and a structure before another type of the same unit.
  ///
  /// - Parameter kinds: what is looked for besides, the first of these first.
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

  /// Gives back the memory of units that were passed: they are read again where an entry of theirs is asked for.
  private mutating func forgetPassed() {
    guard index.nextUnit - forgotten >= 16 << 20, let offset = session.image.debugInfo?.offset else { return }
    let (start, overflow) = offset.addingReportingOverflow(UInt64(forgotten))
    if !overflow { session.image.file.forget(start..<(start &+ UInt64(index.nextUnit - forgotten))) }
    forgotten = index.nextUnit
  }

  /// False where no entry can have the name `text`.
  ///
  /// Compilers put names into `.debug_str`, but for those that are no longer than the offset of one: of 8 bytes,
  /// where the first unit's length says so. A linker may let a name be the end of a longer one, so nothing can be
  /// said of what stands before it.
  private func mayExist(_ text: [UInt8]) -> Bool {
    let isWide = session[.info].integer(UInt32.self, at: 0) == .max
    let wanted = text + [0]
    let strings = session[.strings]
    return wanted.count <= (isWide ? 8 : 4) || strings.isEmpty || strings.firstOccurrence(of: wanted) != nil
  }

  /// Whether the entry at `offset` is of the name `text`: two names may have one hash.
  private func isNamed(_ text: [UInt8], at offset: UInt64) -> Bool {
    guard let entry = session.entry(at: offset), let name = entry.name else { return false }
    return name.isEqual(text)
  }

  /// How much was gone through to find types so far.
  var work: Int { index.work }
}
