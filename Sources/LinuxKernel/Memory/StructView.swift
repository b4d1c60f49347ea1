import Bytes
import DebugInfo

/// A kernel structure at an address, read member by member.
struct StructView: Sendable {
  let space: KernelMemory
  let address: UInt64

  /// The member as an unsigned number of its length, or of its bits; nil if it cannot be read.
  func number(_ member: TypeMember?) -> UInt64? {
    guard let member, let value = unsigned(at: address &+ UInt64(member.offset), size: member.size) else { return nil }
    guard let bits = member.bits, bits.lowerBound < 64 else { return value }
    let width = UInt64(bits.count)
    return value >> UInt64(bits.lowerBound) & (width >= 64 ? .max : 1 << width - 1)
  }

  /// The member as a pointer, without a tag.
  func pointer(_ member: TypeMember?) -> UInt64? { number(member).map(space.untagged) }

  /// The member as a signed number.
  func signed(_ member: TypeMember?) -> Int64? {
    guard let member, let value = number(member), member.size <= 8, member.size > 0 else { return nil }
    let shift = UInt64(64 - member.size * 8)
    return Int64(bitPattern: value << shift) >> Int64(shift)
  }

  /// The address of the member.
  func address(of member: TypeMember?) -> UInt64? { member.map { address &+ UInt64($0.offset) } }

  /// The member as text in a fixed array, up to its NUL.
  func text(_ member: TypeMember?) -> String? {
    guard let member, member.size <= 4096 else { return nil }
    return space.string(at: address &+ UInt64(member.offset), limit: member.size)
  }

  private func unsigned(at address: UInt64, size: Int) -> UInt64? {
    switch size {
    case 8: space.word(at: address)
    case 4: space.integer(UInt32.self, at: address).map(UInt64.init)
    case 2: space.integer(UInt16.self, at: address).map(UInt64.init)
    case 1: space.integer(UInt8.self, at: address).map(UInt64.init)
    default: nil
    }
  }
}

/// The elements of a list, as far as it could be followed.
public struct Listing<Element: Sendable>: Sendable {
  /// The elements found.
  public var elements: [Element] = []
  /// What is missing and why; empty if the list is complete.
  public var notes: [Diagnostic] = []

  /// Adds a note on what is missing, up to `Limits.listNotes`; one more says that there are others.
  mutating func note(_ code: Diagnostic.Code, _ subject: String? = nil, text: @autoclosure () -> String) {
    guard notes.count <= Limits.listNotes else { return }
    notes.append(
      notes.count < Limits.listNotes
        ? Diagnostic(code, subject, text())
        : Diagnostic(.notesOmitted, "more is missing, for reasons of the same kind"))
  }

  /// Adds notes.
  mutating func note(_ notes: [Diagnostic]) {
    for note in notes { self.note(note.code, note.subject, text: note.text) }
  }
}

extension KernelMemory {
  /// The elements of the circular list (`struct list_head`) at `head`, as the addresses of their links. It ends at a
  /// link that is unreadable, was seen before, or does not point back.
  ///
  /// - Parameter limit: the most elements to follow.
  func list(
    at head: UInt64, named name: @autoclosure () -> String, limit: Int = Limits.listElements
  ) -> Listing<UInt64> {
    var result = Listing<UInt64>()
    var seen: Set<UInt64> = []
    var previous = head
    var here = pointer(at: head)
    while true {
      guard let link = here else {
        result.note(
          .listBroken, name(), text: "the list \(name()) breaks off at \(hex(previous)): the next link cannot be read")
        return result
      }
      if link == head { return result }
      guard seen.insert(link).inserted else {
        result.note(.listBroken, name(), text: "the list \(name()) runs in a circle at \(hex(link)): it is damaged")
        return result
      }
      guard result.elements.count < limit else {
        result.note(
          .listBroken, name(),
          text: "the list \(name()) is longer than any: it is damaged, and left out from \(hex(link)) on")
        return result
      }
      guard pointer(at: link &+ 8) == previous else {
        result.note(
          .listBroken, name(),
          text: "the list \(name()) breaks off at \(hex(link)): its link back is wrong, or not in the dump")
        return result
      }
      result.elements.append(link)
      previous = link
      here = pointer(at: link)
    }
  }
}
