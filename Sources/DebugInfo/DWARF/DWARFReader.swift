import Bytes
import CDw

/// One file's DWARF through libdw.
///
/// Types are found by scanning the compilation units in order until the name turns up. What was scanned is indexed by
/// name, so that all queries of a process together scan each unit once.
struct DWARFReader: ~Copyable {
  let session: DWARFSession

  private var types = DWARFTypeIndex(of: .types)
  private var code = DWARFTypeIndex(of: .code)

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

  /// The offset of the entry that defines `name`; if several do, the first, and a structure before another type of the
  /// same unit. Of an enumerator, the offset of its enumeration.
  ///
  /// - Parameter kinds: the kinds of definition, in order of preference: types and variables, or functions and
  ///   enumerators.
  mutating func definition(
    of name: String, _ kinds: [DWARFAbbreviations.Definition] = [.tag, .type]
  ) -> UInt64? {
    let text = Array(name.utf8)
    guard !text.isEmpty, !text.contains(0) else { return nil }
    let subject = DWARFTypeIndex.Subject(kinds)
    // Two names may have one hash.
    if let offset = known(text, kinds, subject) { return has(text, kinds, at: offset) ? offset : nil }
    guard mayExist(text) else { return nil }
    while passUnit(subject) {
      if let offset = known(text, kinds, subject) { return has(text, kinds, at: offset) ? offset : nil }
    }
    return nil
  }

  /// The offsets of all named types, in order.
  mutating func allTypes() -> [UInt64] {
    while passUnit(.types) {}
    return types.all
  }

  private func known(
    _ text: [UInt8], _ kinds: [DWARFAbbreviations.Definition], _ subject: DWARFTypeIndex.Subject
  ) -> UInt64? {
    switch subject {
    case .types: types.definition(of: text, kinds)
    case .code: code.definition(of: text, kinds)
    }
  }

  private mutating func passUnit(_ subject: DWARFTypeIndex.Subject) -> Bool {
    switch subject {
    case .types: Self.passUnit(&types, session)
    case .code: Self.passUnit(&code, session)
    }
  }

  private static func passUnit(_ index: inout DWARFTypeIndex, _ session: borrowing DWARFSession) -> Bool {
    forgetPassed(&index, session)
    return index.passUnit(
      DWARFTypeIndex.Sections(
        info: session[.info], abbreviations: session[.abbreviations], strings: session[.strings],
        stringOffsets: session[.stringOffsets]))
  }

  /// Releases the memory of units already scanned: they are read again if one of their entries is needed.
  private static func forgetPassed(_ index: inout DWARFTypeIndex, _ session: borrowing DWARFSession) {
    guard index.nextUnit - index.forgotten >= 16 << 20, let offset = session.image.debugInfo?.offset else { return }
    let (start, overflow) = offset.addingReportingOverflow(UInt64(index.forgotten))
    if !overflow { session.image.file.forget(start..<(start &+ UInt64(index.nextUnit - index.forgotten))) }
    index.forgotten = index.nextUnit
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

  /// Whether the entry at `offset` has the name `text`, or is the enumeration that has an enumerator of that name.
  private func has(_ text: [UInt8], _ kinds: [DWARFAbbreviations.Definition], at offset: UInt64) -> Bool {
    guard let entry = session.entry(at: offset) else { return false }
    guard kinds.contains(.enumerator) else { return entry.name?.isEqual(text) ?? false }
    var work = Limits.entriesPerMember
    var children = DWARFChildren(of: entry)
    while let child = children.next(&work) { if child.name?.isEqual(text) ?? false { return true } }
    return false
  }

  /// The work done so far to find names.
  var work: Int { types.work + code.work }
}
