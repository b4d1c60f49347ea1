/// The place of a member in a structure.
package struct TypeMember: Hashable, Sendable {
  /// The byte offset in the structure that was searched.
  package let offset: Int
  /// Its length in bytes: of the whole array if it is one; 0 for an array without a length, or if the source has only
  /// offsets (VMCOREINFO).
  package let size: Int
  /// The bits, counted from the least significant of those bytes, if it is a bit field.
  package let bits: Range<Int>?

  /// Describes a member.
  package init(offset: Int, size: Int, bits: Range<Int>? = nil) {
    self.offset = offset
    self.size = size
    self.bits = bits
  }

  /// Describes a member by its first bit in the structure.
  ///
  /// A bit field is placed in a unit of its declared type, as a C compiler reads it: `unsigned a : 20, b : 4` are both
  /// in the four bytes at 0. One that crosses the end of its unit, in a packed structure, is placed in only the bytes
  /// that it touches.
  init(firstBit: Int, bitCount: Int?, unit: Int) {
    guard let bitCount, unit > 0 else {
      self.init(offset: firstBit / 8, size: unit)
      return
    }
    var offset = firstBit / (unit * 8) * unit
    var size = unit
    if firstBit + bitCount > (offset + unit) * 8 {
      offset = firstBit / 8
      size = (firstBit + bitCount + 7) / 8 - offset
    }
    self.init(offset: offset, size: size, bits: (firstBit - offset * 8)..<(firstBit - offset * 8 + bitCount))
  }
}

/// A source of type layouts: BTF in the dump, DWARF, VMCOREINFO.
package protocol TypeLayout: Sendable {
  /// Its description for `info`.
  var origin: String { get }

  /// `sizeof` of a structure, union or typedef by its bare name, in bytes.
  func size(of type: String) -> Int?

  /// A member by its path, `thread.cpu_context.pc`: a dot descends into a structure member (never through a pointer).
  /// Members of anonymous structures and unions belong to the one around them, as in C.
  func member(_ path: String, of type: String) -> TypeMember?

  /// The source as a graph of complete types; nil if it has only sizes and members.
  var graph: (any TypeGraph)? { get }
}

extension TypeLayout {
  /// By default a source has only sizes and members.
  package var graph: (any TypeGraph)? { nil }
}

/// All known type layouts of a kernel, in the order they are searched.
package struct KernelTypes: Sendable {
  /// The sources, the cheapest first.
  package let sources: [any TypeLayout]

  /// Combines sources.
  package init(_ sources: [any TypeLayout]) { self.sources = sources }

  /// `sizeof` of a type.
  package func size(of type: String) -> Int? {
    for source in sources {
      if let size = source.size(of: type) { return size }
    }
    return nil
  }

  /// The first of `paths` that `type` has: kernels rename members, so the newest name comes first. A source without
  /// sizes (VMCOREINFO) is used only if no other knows the member.
  package func member(_ paths: String..., of type: String) -> TypeMember? {
    var withoutSize: TypeMember?
    for path in paths {
      for source in sources {
        guard let member = source.member(path, of: type) else { continue }
        if member.size > 0 { return member }
        withoutSize = withoutSize ?? member
      }
    }
    return withoutSize
  }
}
