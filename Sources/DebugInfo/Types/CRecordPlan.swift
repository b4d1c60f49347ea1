/// How to declare a record so that a C compiler for AArch64 gives each member its offset in the kernel.
struct CRecordPlan {
  /// An item between its braces.
  enum Piece {
    case member(CMember)
    /// An unnamed bit field in a unit of this many bytes.
    case bits(Int, unit: Int)
    /// A hole of this many bytes, filled by an array.
    case bytes(Int)
  }

  /// The items in order.
  let pieces: [Piece]
  /// Whether it must be packed.
  let isPacked: Bool
  /// Its alignment as declared, in bytes; the kernel's may be greater, which debugging information does not say.
  let alignment: Int
}

/// Makes the plans, by the rules of AAPCS64 for structures, unions and bit fields. (AAPCS64 2024Q3, 5.9 and 8.1.8)
struct CRecordPlanner {
  private var alignments: [TypeKey: Int] = [:]

  /// Bytes of a hole beyond which it is filled by an array.
  private static let longestBits = 64

  /// How to declare `record`; nil if no declaration yields its layout.
  mutating func plan(_ record: CRecord) -> CRecordPlan? { plan(record, depth: 0) }

  private mutating func plan(_ record: CRecord, depth: Int) -> CRecordPlan? {
    var parts: [(member: CMember, size: Int, alignment: Int)] = []
    for member in record.members {
      // A member without a name and members of its own is a gap.
      guard member.name != nil || member.type.record != nil else { continue }
      guard let size = Self.size(member.type) else { return nil }
      if let bits = member.bitCount, bits <= 0 || bits > size * 8 || !member.type.isIntegral { return nil }
      parts.append((member, size, alignment(of: member.type, depth: depth + 1)))
    }
    let natural = parts.reduce(1) { max($0, $1.alignment) }
    // If an offset violates its type's alignment, the record is packed in the kernel.
    let isPacked =
      record.size % natural != 0
      || parts.contains { part in
        let first = part.member.firstBit
        guard let bits = part.member.bitCount else { return first % (part.alignment * 8) != 0 }
        return first / (part.size * 8) != (first + bits - 1) / (part.size * 8)
      }
    let alignment = isPacked ? 1 : natural
    var pieces: [CRecordPlan.Piece] = []
    var end = 0
    for part in parts {
      let first = part.member.firstBit
      if record.isUnion {
        guard first == 0 else { return nil }
        end = max(end, part.member.bitCount ?? part.size * 8)
      } else {
        guard first >= end, part.member.bitCount != nil || first % 8 == 0 else { return nil }
        // The compiler itself leaves this much.
        let unit = part.member.bitCount == nil ? (isPacked ? 1 : part.alignment) * 8 : 1
        if Self.rounded(end, unit) != first { pieces += Self.gap(end..<first, alignment) }
        end = first + (part.member.bitCount ?? part.size * 8)
      }
      pieces.append(.member(part.member))
    }
    let size = Self.rounded(end, alignment * 8)
    guard size <= record.size * 8 else { return nil }
    if size < record.size * 8 {
      // In a union everything begins at offset 0.
      pieces += record.isUnion ? [.bytes(record.size)] : Self.gap(end..<record.size * 8, alignment)
    }
    return CRecordPlan(pieces: pieces, isPacked: isPacked, alignment: alignment)
  }

  /// Unnamed bit fields that take `bits`, in the largest units that leave the alignment as it is.
  private static func gap(_ bits: Range<Int>, _ alignment: Int) -> [CRecordPlan.Piece] {
    var pieces: [CRecordPlan.Piece] = []
    var at = bits.lowerBound
    while at < bits.upperBound {
      let left = bits.upperBound - at
      if at % 8 != 0 || left < 8 {
        let count = min(8 - at % 8, left)
        pieces.append(.bits(count, unit: 1))
        at += count
      } else if left > longestBits * 8 {
        pieces.append(.bytes(left / 8))
        at += left / 8 * 8
      } else {
        let fits: (Int) -> Bool = { bytes in bytes <= alignment && at % (bytes * 8) == 0 && left >= bytes * 8 }
        let unit = [8, 4, 2].first(where: fits) ?? 1
        pieces.append(.bits(unit * 8, unit: unit))
        at += unit * 8
      }
    }
    return pieces
  }

  /// The size of a member of this type in bytes; nil if C has no such type.
  private static func size(_ type: CType) -> Int? {
    guard let size = type.size else { return nil }
    switch type.resolved {
    case .integer, .floating, .enumeration: return [1, 2, 4, 8, 16].contains(size) ? size : nil
    case .array(let element, _): return Self.size(element) == nil ? nil : size
    default: return size
    }
  }

  /// The alignment, in bytes, that a compiler gives `type` as declared here.
  private mutating func alignment(of type: CType, depth: Int) -> Int {
    guard depth < Limits.typeDepth else { return 1 }
    switch type.resolved {
    case .pointer: return 8
    case .integer(let integer): return integer.size
    case .floating(_, let size): return size
    case .enumeration(let enumeration): return enumeration.size
    case .array(let element, _): return alignment(of: element, depth: depth + 1)
    case .record(let record):
      if let known = alignments[record.key] { return known }
      // A record that contains itself has no right answer.
      alignments[record.key] = 1
      let found = plan(record, depth: depth)?.alignment ?? 1
      alignments[record.key] = found
      return found
    case .void, .function, .typedef, .qualified, .unknown: return 1
    }
  }

  private static func rounded(_ value: Int, _ unit: Int) -> Int { (value + unit - 1) / unit * unit }
}

extension CType {
  /// Whether a bit field may have this type.
  fileprivate var isIntegral: Bool {
    switch resolved {
    case .integer, .enumeration: true
    default: false
    }
  }
}
