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
