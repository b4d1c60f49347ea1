import Bytes
import CDw
import Glibc

/// An entry of `.debug_info` (a DIE), as libdw reads it.
///
/// Safety: a `Dwarf_Die` points into the memory of the session that it comes from; the compiler lets no entry outlive
/// that, as each depends on the session or on an entry that does. libdw fills variables of its own types, which do not
/// leave the call, and follows no attribute out of its section. It checks that a string ends with NUL inside its
/// section; the string is shown as bytes that live as long as the entry, or copied.
@safe
struct DWARFEntry: ~Escapable {
  /// libdw's handle.
  @unsafe let die: Dwarf_Die
  private let sections: DWARFSections
  /// DW_TAG_*; 0 if the entry is damaged.
  let tag: Int

  /// Wraps `die`; the caller declares the session that it depends on.
  @unsafe
  @_lifetime(immortal)
  init(_ die: Dwarf_Die, _ sections: DWARFSections) {
    var die = unsafe die
    self.sections = sections
    // This finds the entry's abbreviation, once for all later queries.
    tag = unsafe Int(dwarf_tag(&die))
    unsafe self.die = die
  }

  /// Its offset in `.debug_info`.
  var offset: UInt64 {
    var die = unsafe die
    return unsafe dwarf_dieoffset(&die)
  }

  /// The entry of its type (DW_AT_type); nil if it has none (`void`), or it is in another unit that takes too much
  /// work.
  var type: DWARFEntry? {
    @_lifetime(copy self)
    get {
      var die = unsafe die
      var reference = unsafe Dwarf_Attribute()
      guard unsafe dwarf_attr(&die, UInt32(DW_AT_type), &reference) != nil,
        unsafe Int(reference.form) != DW_FORM_ref_addr || isAdmitted(reference),
        unsafe dw_follow_reference(&reference, &die)
      else { return nil }
      return unsafe other(die)
    }
  }

  /// Whether libdw may follow a reference to another unit.
  private func isAdmitted(_ reference: Dwarf_Attribute) -> Bool {
    var version: Dwarf_Half = 0
    var addressSize: UInt8 = 0
    var offsetSize: UInt8 = 0
    guard unsafe dwarf_cu_info(reference.cu, &version, nil, nil, nil, nil, &addressSize, &offsetSize) == 0,
      var place = unsafe reference.valp.flatMap({ unsafe sections.offset(of: $0) }),
      let target = sections[.info].number(of: Int(version == 2 ? addressSize : offsetSize), at: &place)
    else { return false }
    return sections.admits(target, whole: true)
  }

  /// Its first child; nil if there is none.
  var firstChild: DWARFEntry? {
    @_lifetime(copy self)
    get {
      var die = unsafe die
      var child = unsafe Dwarf_Die()
      return unsafe dwarf_child(&die, &child) == 0 ? other(child) : nil
    }
  }

  /// Its next sibling; nil after the last. A damaged one may point back.
  var nextSibling: DWARFEntry? {
    @_lifetime(copy self)
    get {
      var die = unsafe die
      return unsafe dw_next_sibling(&die) == 0 ? other(die) : nil
    }
  }

  @_lifetime(copy self)
  private func other(_ die: Dwarf_Die) -> DWARFEntry {
    unsafe _overrideLifetime(DWARFEntry(die, sections), copying: self)
  }

  // MARK: - Attributes

  /// The bytes of its own DW_AT_name; nil if it has none, or an empty one.
  var name: RawSpan? {
    @_lifetime(copy self)
    get {
      var die = unsafe die
      guard let start = unsafe dw_own_name(&die), unsafe start.pointee != 0 else { return nil }
      return unsafe _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: strlen(start)), copying: self)
    }
  }

  /// Whether it has the attribute `name`, DW_AT_*.
  func has(_ name: Int) -> Bool {
    var die = unsafe die
    return unsafe dwarf_hasattr(&die, UInt32(name)) != 0
  }

  /// The attribute `name` if it is a constant or an offset into a section.
  func constant(_ name: Int) -> UInt64? {
    var die = unsafe die
    var value: UInt64 = 0
    return unsafe dw_constant(&die, UInt32(name), &value) ? value : nil
  }

  /// The attribute `name` if it is a constant that may be negative.
  func signedConstant(_ name: Int) -> Int64? {
    var die = unsafe die
    var value: Int64 = 0
    return unsafe dw_signed_constant(&die, UInt32(name), &value) ? value : nil
  }

  /// DW_AT_data_member_location in bytes, if it is constant.
  var memberLocation: UInt64? {
    var die = unsafe die
    var value: UInt64 = 0
    return unsafe dw_member_location(&die, &value) ? value : nil
  }
}
