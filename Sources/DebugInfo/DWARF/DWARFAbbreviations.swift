import Bytes

/// The layout of a compilation unit's entries, prepared for skipping over them.
///
/// Only three things are needed of an entry: its name, its next sibling, and its end. So the attributes of each
/// abbreviation become the few steps that skip them.
///
///     declaration: code uleb | tag uleb | has children u8 | (attribute uleb, form uleb [, value sleb]) ... | 0, 0
///
/// (DWARF 5, 7.5.3)
struct DWARFAbbreviations {
  /// A step over one attribute, or over several of fixed size.
  struct Step {
    enum Kind {
      /// `count` bytes.
      case bytes
      /// A LEB128 number.
      case number
      /// A string, up to its NUL.
      case string
      /// A length of `count` bytes, then as many bytes; a LEB128 length if `count` is 0.
      case block
      /// DW_AT_name as an offset of `count` bytes into `.debug_str`.
      case nameOffset
      /// DW_AT_name in place.
      case nameString
      /// DW_AT_name as an index, of `count` bytes or LEB128 if that is 0, into `.debug_str_offsets`.
      case nameIndex
      /// DW_AT_sibling, from the start of the unit, of `count` bytes or LEB128 if that is 0.
      case sibling
      /// DW_AT_str_offsets_base, of `count` bytes.
      case stringOffsetsBase
    }
    var kind: Kind
    var count: Int
  }

  /// The kind of definition that an entry may be.
  enum Definition: UInt64 {
    /// Nothing looked up by name.
    case nothing
    /// A structure or union.
    case tag
    /// A typedef, an enumeration or a base type.
    case type
    /// A variable.
    case variable
    /// A function.
    case function
    /// An enumerator.
    case enumerator
  }

  /// One layout of entries.
  struct Abbreviation {
    var definition: Definition
    /// Whether its children are enumerators.
    var isEnumeration: Bool
    var hasChildren: Bool
    var steps: Range<Int>
  }

  /// Their offset in `.debug_abbrev`.
  let offset: UInt64
  /// The sizes that they depend on.
  let sizes: Sizes
  /// The sizes in a unit's header.
  struct Sizes: Equatable {
    var version: UInt16
    var offset: Int
    var address: Int
  }

  private(set) var steps: [Step] = []
  private var abbreviations: [Abbreviation] = []
  /// Used only if codes do not count up from 1, as those of all compilers do.
  private var numbers: [UInt64: Int] = [:]
  /// The attributes read.
  private(set) var attributeCount = 0

  /// Reads the declarations at `offset`; nil if they are damaged or have unknown forms.
  init?(_ bytes: RawSpan, at offset: UInt64, sizes: Sizes) {
    self.offset = offset
    self.sizes = sizes
    guard var position = Int(exactly: offset) else { return nil }
    while let code = bytes.unsignedLEB(at: &position), code != 0 {
      guard abbreviations.count < Limits.abbreviations, let tag = bytes.unsignedLEB(at: &position),
        let hasChildren = bytes.integer(UInt8.self, at: position)
      else { return nil }
      position += 1
      guard let abbreviation = read(bytes, at: &position, tag: tag, hasChildren: hasChildren != 0) else { return nil }
      if code != UInt64(abbreviations.count) + 1 { numbers[code] = abbreviations.count }
      abbreviations.append(abbreviation)
    }
  }

  /// The layout of entries with this code.
  @inline(__always)
  func abbreviation(_ code: UInt64) -> Abbreviation? {
    if numbers.isEmpty {
      let number = code &- 1
      return number < UInt64(abbreviations.count) ? abbreviations[Int(truncatingIfNeeded: number)] : nil
    }
    if let number = numbers[code] { return abbreviations[number] }
    return code > 0 && code <= UInt64(abbreviations.count) ? abbreviations[Int(code - 1)] : nil
  }

  private mutating func read(
    _ bytes: RawSpan, at position: inout Int, tag: UInt64, hasChildren: Bool
  ) -> Abbreviation? {
    let start = steps.count
    var definition: Definition =
      switch tag {
      case 0x13, 0x17, 0x02: .tag  // DW_TAG_structure_type, _union_type, _class_type
      case 0x16, 0x24, 0x04: .type  // DW_TAG_typedef, _base_type, _enumeration_type
      case 0x34: .variable  // DW_TAG_variable
      case 0x2e: .function  // DW_TAG_subprogram
      case 0x28: .enumerator  // DW_TAG_enumerator
      default: .nothing
      }
    let isPossible = definition != .nothing
    while let attribute = bytes.unsignedLEB(at: &position), let form = bytes.unsignedLEB(at: &position) {
      if attribute == 0, form == 0 {
        return Abbreviation(
          definition: definition, isEnumeration: tag == 0x04, hasChildren: hasChildren, steps: start..<steps.count)
      }
      attributeCount += 1
      guard attributeCount <= Limits.abbreviations * 8 else { return nil }
      // DW_FORM_implicit_const has its value here and nothing in the entry.
      if form == 0x21, bytes.unsignedLEB(at: &position) == nil { return nil }
      // DW_AT_declaration: a variable's or function's declaration has its type, and the definition may refer to it
      // for the name.
      if attribute == 0x3c, definition == .tag || definition == .type { definition = .nothing }
      guard let step = step(form) else { return nil }
      let wanted = wanted(attribute, form, step, isName: isPossible, hasChildren: hasChildren)
      if wanted.kind == .bytes, let last = steps.indices.last, last >= start, steps[last].kind == .bytes {
        steps[last].count += wanted.count
      } else if wanted.kind != .bytes || wanted.count > 0 {
        steps.append(wanted)
      }
    }
    return nil
  }

  /// The step over an attribute, or one that extracts its value if needed.
  private func wanted(_ attribute: UInt64, _ form: UInt64, _ step: Step, isName: Bool, hasChildren: Bool) -> Step {
    switch (attribute, form) {
    case (0x03, 0x0e) where isName: Step(kind: .nameOffset, count: step.count)  // DW_FORM_strp
    case (0x03, 0x08) where isName: Step(kind: .nameString, count: 0)  // DW_FORM_string
    // DW_FORM_strx, strx1 to strx4, GNU_str_index.
    case (0x03, 0x1a), (0x03, 0x25...0x28), (0x03, 0x1f02): isName ? Step(kind: .nameIndex, count: step.count) : step
    // DW_FORM_ref1 to ref8, ref_udata.
    case (0x01, 0x11...0x15) where hasChildren: Step(kind: .sibling, count: step.count)
    case (0x72, 0x17): Step(kind: .stringOffsetsBase, count: step.count)  // DW_FORM_sec_offset
    default: step
    }
  }

  /// The step over a value of `form`; nil for DW_FORM_indirect, which no compiler writes, and unknown ones.
  private func step(_ form: UInt64) -> Step? {
    switch form {
    case 0x19, 0x21: Step(kind: .bytes, count: 0)  // flag_present, implicit_const
    case 0x0b, 0x0c, 0x11, 0x25, 0x29: Step(kind: .bytes, count: 1)  // data1, flag, ref1, strx1, addrx1
    case 0x05, 0x12, 0x26, 0x2a: Step(kind: .bytes, count: 2)  // data2, ref2, strx2, addrx2
    case 0x27, 0x2b: Step(kind: .bytes, count: 3)  // strx3, addrx3
    case 0x06, 0x13, 0x1c, 0x28, 0x2c: Step(kind: .bytes, count: 4)  // data4, ref4, ref_sup4, strx4, addrx4
    case 0x07, 0x14, 0x20, 0x24: Step(kind: .bytes, count: 8)  // data8, ref8, ref_sig8, ref_sup8
    case 0x1e: Step(kind: .bytes, count: 16)  // data16
    case 0x01: Step(kind: .bytes, count: sizes.address)  // addr
    case 0x10: Step(kind: .bytes, count: sizes.version == 2 ? sizes.address : sizes.offset)  // ref_addr
    // strp, sec_offset, strp_sup, line_strp, GNU_ref_alt, GNU_strp_alt
    case 0x0e, 0x17, 0x1d, 0x1f, 0x1f20, 0x1f21: Step(kind: .bytes, count: sizes.offset)
    // sdata, udata, ref_udata, strx, addrx, loclistx, rnglistx, GNU_addr_index, GNU_str_index
    case 0x0d, 0x0f, 0x15, 0x1a, 0x1b, 0x22, 0x23, 0x1f01, 0x1f02: Step(kind: .number, count: 0)
    case 0x08: Step(kind: .string, count: 0)  // string
    case 0x0a: Step(kind: .block, count: 1)  // block1
    case 0x03: Step(kind: .block, count: 2)  // block2
    case 0x04: Step(kind: .block, count: 4)  // block4
    case 0x09, 0x18: Step(kind: .block, count: 0)  // block, exprloc
    default: nil
    }
  }
}

extension RawSpan {
  /// The LEB128 number at `position`, which is advanced; nil past the end. Bits beyond 64 are lost.
  @inline(__always)
  func unsignedLEB(at position: inout Int) -> UInt64? {
    var result: UInt64 = 0
    var shift: UInt64 = 0
    while let byte = integer(UInt8.self, at: position) {
      position &+= 1
      result |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return result }
      shift &+= 7
    }
    return nil
  }

  /// The little-endian number of `count` bytes at `position`, which is advanced; LEB128 if `count` is 0.
  @inline(__always)
  func number(of count: Int, at position: inout Int) -> UInt64? {
    let start = position
    position &+= count
    switch count {
    case 0: return unsignedLEB(at: &position)
    case 1: return integer(UInt8.self, at: start).map { UInt64($0) }
    case 2: return integer(UInt16.self, at: start).map { UInt64($0) }
    case 4: return integer(UInt32.self, at: start).map { UInt64($0) }
    case 8: return integer(UInt64.self, at: start)
    default:
      guard let low = integer(UInt16.self, at: start), let high = integer(UInt8.self, at: start &+ 2) else {
        return nil
      }
      return UInt64(low) | UInt64(high) << 16
    }
  }

  /// The end of the string at `position`, after its NUL.
  @inline(__always)
  func endOfString(at position: Int) -> Int? {
    var end = position
    while let byte = integer(UInt8.self, at: end) {
      end &+= 1
      if byte == 0 { return end }
    }
    return nil
  }
}
