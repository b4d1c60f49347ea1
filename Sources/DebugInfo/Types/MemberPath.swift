/// A member found, possibly inside anonymous records.
package struct FoundMember: Sendable {
  package let type: CType
  /// The bit offset in the record that was searched.
  package let firstBit: Int
  /// The width of a bit field; nil for any other member.
  package let bitCount: Int?

  package init(type: CType, firstBit: Int, bitCount: Int?) {
    self.type = type
    self.firstBit = firstBit
    self.bitCount = bitCount
  }
}

extension CRecord {
  /// The member `name`, also inside anonymous members.
  package func member(named name: String) -> FoundMember? {
    var work = Limits.entriesPerMember
    return member(named: name, depth: 0, &work)
  }

  private func member(named name: String, depth: Int, _ work: inout Int) -> FoundMember? {
    guard depth < Limits.typeDepth else { return nil }
    for member in members {
      work -= 1
      guard work > 0 else { return nil }
      if member.name == name {
        return FoundMember(type: member.type, firstBit: member.firstBit, bitCount: member.bitCount)
      }
      if member.name == nil, let inner = member.type.record,
        let found = inner.member(named: name, depth: depth + 1, &work)
      {
        return FoundMember(
          type: found.type, firstBit: member.firstBit &+ found.firstBit, bitCount: found.bitCount)
      }
    }
    return nil
  }

  /// The names of all members, including those of anonymous members.
  package var memberNames: [String] {
    var work = Limits.entriesPerMember
    return memberNames(depth: 0, &work)
  }

  private func memberNames(depth: Int, _ work: inout Int) -> [String] {
    guard depth < Limits.typeDepth else { return [] }
    var names: [String] = []
    for member in members {
      work -= 1
      guard work > 0 else { break }
      if let name = member.name {
        names.append(name)
      } else if let inner = member.type.record {
        names += inner.memberNames(depth: depth + 1, &work)
      }
    }
    return names
  }
}

extension CType {
  /// The member at byte `offset`: its path, and the bytes from its start to `offset`. In a union the first member that
  /// extends that far is named; nil in a hole or beyond the end.
  package func path(at offset: Int) -> (path: String, rest: Int)? {
    var type = self
    var rest = offset
    var path = ""
    descend: for _ in 0..<Limits.typeDepth {
      switch type.resolved {
      case .record(let record):
        guard let member = record.members.first(where: { $0.contains(byte: rest) }) else { return nil }
        if let name = member.name { path += path.isEmpty ? name : ".\(name)" }
        rest -= member.firstBit / 8
        type = member.type
        if member.bitCount != nil { return (path, rest) }
      case .array(let element, let count):
        // Text is shown as a whole.
        guard let size = element.size, size > 0, count > 0, element.resolved.isRecordOrArray else { break descend }
        path += "[\(rest / size)]"
        rest %= size
        type = element
      default: break descend
      }
    }
    return path.isEmpty ? nil : (path, rest)
  }
}

extension TypeShape {
  fileprivate var isRecordOrArray: Bool {
    switch self {
    case .record, .array: true
    default: false
    }
  }
}

extension CMember {
  /// Whether `byte` of the record is, wholly or in part, in this member.
  fileprivate func contains(byte: Int) -> Bool {
    let first = firstBit / 8
    let end = bitCount.map { (firstBit + $0 + 7) / 8 } ?? first + (type.size ?? 0)
    return byte >= first && byte < end
  }
}
