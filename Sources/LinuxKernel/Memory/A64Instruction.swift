/// The few A64 instructions that show where the kernel keeps a variable, or which constants it patched into its own
/// code. (Arm ARM C4.1, C6.2)
enum Instruction: Hashable {
  /// `adrp rd, page`.
  case pageAddress(rd: Int, page: UInt64)
  /// `add rd, rn, #imm`.
  case add(rd: Int, rn: Int, UInt64)
  /// `ldr rt, [rn, #offset]`, 64 bits.
  case load(rt: Int, rn: Int, offset: UInt64)
  /// `and rd, rn, #mask`.
  case and(rd: Int, rn: Int, mask: UInt64)
  /// `ror rd, rn, #amount`.
  case rotateRight(rd: Int, rn: Int, amount: Int)
  /// `nop`.
  case nop
  /// Any other.
  case other

  /// Decodes the instruction `word` at `address`.
  init(_ word: UInt32, at address: UInt64) {
    let rd = Int(word & 31)
    let rn = Int(word >> 5 & 31)
    let imm12 = UInt64(word >> 10 & 0xfff)
    if word == 0xd503_201f {
      self = .nop
    } else if word & 0x9f00_0000 == 0x9000_0000 {
      let pages = UInt64(word >> 5 & 0x7_ffff) << 2 | UInt64(word >> 29 & 3)
      let offset = UInt64(bitPattern: Int64(bitPattern: pages << 43) >> 31)
      self = .pageAddress(rd: rd, page: (address & ~0xfff) &+ offset)
    } else if word & 0xff80_0000 == 0x9100_0000 {
      self = .add(rd: rd, rn: rn, word >> 22 & 1 == 1 ? imm12 << 12 : imm12)
    } else if word & 0xffc0_0000 == 0xf940_0000 {
      self = .load(rt: rd, rn: rn, offset: imm12 << 3)
    } else if word & 0xff80_0000 == 0x9200_0000,
      let mask = Self.bitmask(n: Int(word >> 22 & 1), immr: Int(word >> 16 & 63), imms: Int(word >> 10 & 63))
    {
      self = .and(rd: rd, rn: rn, mask: mask)
    } else if word & 0xffe0_0000 == 0x93c0_0000, Int(word >> 16 & 31) == rn {
      self = .rotateRight(rd: rd, rn: rn, amount: Int(word >> 10 & 63))
    } else {
      self = .other
    }
  }

  /// The immediate of a logical instruction: a run of ones in an element of 2 to 64 bits, rotated and repeated; nil if
  /// the encoding is reserved. (Arm ARM, DecodeBitMasks)
  static func bitmask(n: Int, immr: Int, imms: Int) -> UInt64? {
    let lengthBits = n << 6 | ~imms & 63
    guard lengthBits > 1 else { return nil }
    let length = Int.bitWidth - 1 - lengthBits.leadingZeroBitCount
    let size = 1 << length
    let ones = imms & (size - 1)
    guard ones != size - 1 else { return nil }
    let element = UInt64.max >> UInt64(63 - ones)
    let within = UInt64.max >> UInt64(64 - size)
    let turn = UInt64(immr & (size - 1))
    let rotated = turn == 0 ? element : (element >> turn | element << (UInt64(size) - turn)) & within
    var mask = rotated
    var width = size
    while width < 64 {
      mask |= mask << UInt64(width)
      width *= 2
    }
    return mask
  }
}

/// The first instructions of a function.
struct FunctionCode {
  let instructions: [Instruction]

  /// Reads up to `count` instructions at `address`; empty if they are not in the dump.
  init(_ space: KernelMemory, at address: UInt64, count: Int) {
    let words = (0..<count).lazy.map { space.integer(UInt32.self, at: address &+ UInt64($0 * 4)) }
    instructions = words.enumerated().map { number, word in
      word.map { Instruction($0, at: address &+ UInt64(number * 4)) } ?? .other
    }
  }

  /// The addresses of the 8-byte variables that it loads through ADRP and LDR, in order.
  var loadedVariables: [UInt64] {
    var pages: [Int: UInt64] = [:]
    var result: [UInt64] = []
    for instruction in instructions {
      switch instruction {
      case .pageAddress(let rd, let page): pages[rd] = page
      case .add(let rd, let rn, let offset): pages[rd] = pages[rn].map { $0 &+ offset }
      case .load(let rt, let rn, let offset):
        if let page = pages[rn] { result.append(page &+ offset) }
        pages[rt] = nil
      case .and(let rd, _, _), .rotateRight(let rd, _, _): pages[rd] = nil
      case .nop, .other: break
      }
    }
    return result
  }
}
