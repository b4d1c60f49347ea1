import Bytes

/// An index of the types and variables, or of the functions and enumerators, defined in `.debug_info`, by name: built
/// unit by unit, as far as queries need it.
///
/// libdw is some ten times slower at iterating over entries, which decides whether a name in a late unit takes 20 ms or
/// 200. Everything else about entries goes through libdw.
struct DWARFTypeIndex {
  /// The sections that it reads.
  struct Sections: ~Escapable {
    var info: RawSpan
    var abbreviations: RawSpan
    var strings: RawSpan
    var stringOffsets: RawSpan

    @_lifetime(copy info, copy abbreviations, copy strings, copy stringOffsets)
    init(info: RawSpan, abbreviations: RawSpan, strings: RawSpan, stringOffsets: RawSpan) {
      self.info = info
      self.abbreviations = abbreviations
      self.strings = strings
      self.stringOffsets = stringOffsets
    }
  }

  /// What is indexed.
  enum Subject {
    /// Types and variables.
    case types
    /// Functions and enumerators: few queries need them, and they are many.
    case code

    /// The contents that have definitions of `kinds`.
    init(_ kinds: [DWARFAbbreviations.Definition]) {
      self = kinds.contains { $0 == .function || $0 == .enumerator } ? .code : .types
    }
  }

  private let subject: Subject

  init(of subject: Subject) { self.subject = subject }

  /// The offset in `.debug_info` of the first definition of each name, or of an enumerator's enumeration, by the name's
  /// hash.
  private var definitions: [UInt64: UInt64] = [:]
  /// Recently seen names, by their offset in `.debug_str`: units repeat what headers define.
  private var recent = [UInt64](repeating: 0, count: 1 << 15)
  private var abbreviations: DWARFAbbreviations?
  /// The start of the next unit.
  private(set) var nextUnit = 0
  /// The number of bytes of `.debug_info` that were released to the system.
  var forgotten = 0
  private var unitsLeft = Limits.compilationUnits
  /// How many entries, and attributes of abbreviations, may still be read.
  private var workLeft = Limits.debugEntries

  /// The entries and attributes read so far.
  var work: Int { Limits.debugEntries - workLeft }

  /// The first definition of `name` of one of `kinds`, in order of preference, in the units scanned so far. Another
  /// name may have the same hash.
  func definition(of name: [UInt8], _ kinds: [DWARFAbbreviations.Definition]) -> UInt64? {
    var hash = Self.hashStart
    for byte in name { hash = Self.hash(hash, byte) }
    return kinds.lazy.compactMap { definitions[Self.key(hash, $0)] }.first
  }

  /// The offsets of the definitions in the units scanned so far, in order.
  var all: [UInt64] { definitions.values.sorted() }

  private static let hashStart: UInt64 = 0xcbf2_9ce4_8422_2325
  /// FNV-1a: names found by it are compared, so its strength does not matter.
  @inline(__always)
  private static func hash(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  @inline(__always)
  private static func key(_ hash: UInt64, _ definition: DWARFAbbreviations.Definition) -> UInt64 {
    switch definition {
    case .tag, .function: hash
    case .variable, .enumerator: hash ^ 0x5555_5555_5555_5555
    case .type, .nothing: ~hash
    }
  }

  /// Indexes the definitions of the next unit; false if there is none.
  mutating func passUnit(_ sections: borrowing Sections) -> Bool {
    let start = nextUnit
    guard unitsLeft > 0, workLeft > 0, let header = DWARFUnitHeader(sections.info, at: start) else { return false }
    unitsLeft -= 1
    nextUnit = header.end
    guard let content = header.content else { return true }
    let offset = content.abbreviations
    let sizes = content.sizes
    let known = abbreviations.flatMap { $0.offset == offset && $0.sizes == sizes ? $0 : nil }
    guard let layouts = known ?? DWARFAbbreviations(sections.abbreviations, at: offset, sizes: sizes) else {
      // Reading up to the damage was work, too.
      workLeft -= Limits.abbreviations
      return true
    }
    if known == nil { workLeft -= layouts.attributeCount }
    abbreviations = layouts
    pass(sections, unit: start, entries: content.entries..<max(content.entries, header.end), layouts)
    return true
  }

  /// Scans the entries of a unit; stops if they are damaged.
  private mutating func pass(
    _ sections: borrowing Sections, unit: Int, entries: Range<Int>, _ layouts: DWARFAbbreviations
  ) {
    let info = sections.info.extracting(0..<min(entries.upperBound, sections.info.byteCount))
    let steps = layouts.steps.span
    let offsetSize = layouts.sizes.offset
    var position = entries.lowerBound
    var stringOffsetsBase = 2 * offsetSize
    // The unit's own entry is at depth 0, what it defines at depth 1.
    var depth = 0
    // The last enumeration reached.
    var enumeration = 0
    repeat {
      let entry = position
      guard workLeft > 0, let code = info.unsignedLEB(at: &position) else { return }
      workLeft &-= 1
      if code == 0 {
        depth -= 1
        continue
      }
      guard let layout = layouts.abbreviation(code) else { return }
      var name: Int?
      var isNameHere = false
      var sibling: UInt64?
      for number in layout.steps {
        let step = steps[number]
        switch step.kind {
        case .bytes: position &+= step.count
        case .number: guard info.unsignedLEB(at: &position) != nil else { return }
        case .string:
          guard let end = info.endOfString(at: position) else { return }
          position = end
        case .block:
          guard let length = info.number(of: step.count, at: &position), length <= UInt64(info.byteCount) else {
            return
          }
          position &+= Int(length)
        case .nameOffset: name = info.number(of: step.count, at: &position).flatMap { Int(exactly: $0) }
        case .nameString:
          guard let end = info.endOfString(at: position) else { return }
          name = position
          isNameHere = true
          position = end
        case .nameIndex:
          guard let index = info.number(of: step.count, at: &position), index <= UInt32.max else { return }
          var place = stringOffsetsBase &+ Int(index) &* offsetSize
          name = sections.stringOffsets.number(of: offsetSize, at: &place).flatMap { Int(exactly: $0) }
        case .sibling: sibling = info.number(of: step.count, at: &position)
        case .stringOffsetsBase:
          let base = info.number(of: step.count, at: &position).flatMap { Int(exactly: $0) }
          if depth == 0, let base, base <= sections.stringOffsets.byteCount { stringOffsetsBase = base }
        }
      }
      if let name, depth == 1 || depth == 2 && layout.definition == .enumerator, isWanted(layout.definition) {
        let place = depth == 1 ? entry : enumeration
        if isNameHere {
          remember(info, name, layout.definition, place, isRecent: false)
        } else {
          remember(sections.strings, name, layout.definition, place, isRecent: true)
        }
      }
      guard layout.hasChildren else { continue }
      let isEntered = subject == .code && depth == 1 && layout.isEnumeration
      if isEntered { enumeration = entry }
      // Follow the sibling if it is after this entry's start and in the unit, else scan the children.
      if depth > 0, !isEntered, let sibling, sibling <= UInt64(entries.upperBound - unit),
        unit + Int(sibling) > position
      {
        position = unit + Int(sibling)
      } else {
        depth += 1
      }
    } while depth > 0 && position < entries.upperBound
  }

  @inline(__always)
  private func isWanted(_ definition: DWARFAbbreviations.Definition) -> Bool {
    switch definition {
    case .nothing: false
    case .tag, .type, .variable: subject == .types
    case .function, .enumerator: subject == .code
    }
  }

  /// Records that the entry at `entry` defines the name at `offset` of `text`.
  @inline(__always)
  private mutating func remember(
    _ text: RawSpan, _ offset: Int, _ definition: DWARFAbbreviations.Definition, _ entry: Int, isRecent: Bool
  ) {
    // Never 0, which marks an empty place.
    let mark = UInt64(truncatingIfNeeded: offset) << 3 | definition.rawValue
    let slot = (offset &+ (definition == .tag ? 1 : 0)) & (recent.count - 1)
    if isRecent {
      guard recent[slot] != mark else { return }
      recent[slot] = mark
    }
    var hash = Self.hashStart
    var position = offset
    while let byte = text.integer(UInt8.self, at: position), byte != 0 {
      hash = Self.hash(hash, byte)
      position &+= 1
      guard position - offset < Limits.symbolName else { return }
    }
    let key = Self.key(hash, definition)
    if position > offset, definitions.count < Limits.typeNames, definitions[key] == nil {
      definitions[key] = UInt64(entry)
    }
  }
}
