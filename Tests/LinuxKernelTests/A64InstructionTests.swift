import TestSupport
import Testing

@testable import LinuxKernel

/// The decoder of instructions against an assembler that writes each field as the Arm manual draws it.
@Suite struct A64InstructionTests {
  @Test("ADRP: every bit of the offset, forwards and backwards, from any place in its page", arguments: 0..<32)
  func adrp(register: Int) {
    let powers: [Int] = (0..<20).map { 1 << $0 }
    let offsets: [Int] = powers + powers.map { -$0 } + [0, 0xf_ffff, -0x10_0000, 0x5_5555, -0x5_5555]
    for pages in offsets {
      let address: UInt64 = 0xffff_8000_0812_3abc
      let target = UInt64(bitPattern: Int64(bitPattern: 0xffff_8000_0812_3000) + Int64(pages) * 4096)
      #expect(
        Instruction(A64.adrp(register, pages: pages), at: address) == .pageAddress(rd: register, page: target),
        "\(pages)")
    }
    // It wraps around the address space.
    #expect(
      Instruction(A64.adrp(register, pages: -2), at: 0x1000) == .pageAddress(rd: register, page: 0xffff_ffff_ffff_f000))
  }

  @Test("ADD, LDR and ROR: every bit of the immediate, every register", arguments: 0..<32)
  func immediates(register: Int) {
    let other = 31 - register
    for value in (0..<12).map({ 1 << $0 }) + [0, 0xfff, 0xa5a] {
      #expect(
        Instruction(A64.add(register, other, value), at: 0) == .add(rd: register, rn: other, UInt64(value)))
      #expect(
        Instruction(A64.add(register, other, value, isShifted: true), at: 0)
          == .add(rd: register, rn: other, UInt64(value) * 4096))
      #expect(
        Instruction(A64.ldr(register, other, offset: value * 8), at: 0)
          == .load(rt: register, rn: other, offset: UInt64(value) * 8))
    }
    for amount in 0..<64 {
      #expect(
        Instruction(A64.ror(register, other, amount), at: 0)
          == .rotateRight(rd: register, rn: other, amount: amount))
    }
    // Two registers that differ rotate nothing.
    #expect(Instruction(A64.extr(register, 1, 2, 7), at: 0) == .other)
  }

  @Test("AND: each of the 5,334 immediates that there are")
  func logicalImmediates() {
    #expect(A64.LogicalImmediate.all.count == 5334)
    #expect(Set(A64.LogicalImmediate.all.map(\.value)).count == 5334)
    for (number, immediate) in A64.LogicalImmediate.all.enumerated() {
      let (rd, rn) = (number % 31, number / 31 % 31)
      let instruction = Instruction(A64.and(rd, rn, immediate), at: 0)
      guard instruction == .and(rd: rd, rn: rn, mask: immediate.value) else {
        Issue.record("\(immediate): \(instruction)")
        return
      }
    }
  }

  @Test("AND: no other encoding is one")
  func reservedImmediates() {
    // N:immr:imms, 13 bits; the bits of immr above the size of an element are ignored, so count values, not encodings.
    var values: Set<UInt64> = []
    for fields in 0..<(UInt64(1) << 13) {
      let word = A64.word("100100100", A64.bits(fields, 13), "00001", "00000")
      if case .and(let rd, let rn, let mask) = Instruction(word, at: 0) {
        #expect(rd == 0 && rn == 1)
        values.insert(mask)
      }
    }
    #expect(values == Set(A64.LogicalImmediate.all.map(\.value)))
    // All ones within an element, and elements of one bit, are reserved. (DecodeBitMasks)
    for (n, imms) in [
      ("1", "111111"), ("0", "011111"), ("0", "101111"), ("0", "110111"), ("0", "111011"), ("0", "111101"),
      ("0", "111110"), ("0", "111111"),
    ] {
      #expect(Instruction(A64.word("100100100", n, "000000", imms, "00001", "00000"), at: 0) == .other, "\(imms)")
    }
  }

  /// Words as GNU as assembles them, each one bit or field from one that is read.
  @Test(
    "What is near them is another instruction",
    arguments: [
      (0x1000_0000, "adr x0, ."), (0x1140_0420, "add w0, w1, #0x1, lsl #12"), (0xb100_0420, "adds x0, x1, #1"),
      (0xd100_0420, "sub x0, x1, #1"), (0xb940_0420, "ldr w0, [x1, #4]"), (0xf900_0420, "str x0, [x1, #8]"),
      (0xf980_0420, "prfm pldl1keep, [x1, #8]"), (0xfd40_0420, "ldr d0, [x1, #8]"), (0xf840_8020, "ldur x0, [x1, #8]"),
      (0xf840_8420, "ldr x0, [x1], #8"), (0xf862_6820, "ldr x0, [x1, x2]"), (0x5800_0040, "ldr x0, .+8"),
      (0x1200_0020, "and w0, w1, #1"), (0xf240_0020, "ands x0, x1, #1"), (0xb240_0020, "orr x0, x1, #1"),
      (0xd240_0020, "eor x0, x1, #1"), (0x8a02_0020, "and x0, x1, x2"), (0x1381_0420, "ror w0, w1, #1"),
      (0x9ac2_2c20, "ror x0, x1, x2"), (0xd503_203f, "yield"), (0xd503_245f, "bti c"), (0xd65f_03c0, "ret"),
      (0xd420_0000, "brk #0"), (0x0000_0000, "udf #0"), (0xffff_ffff, "none"),
    ] as [(UInt32, String)])
  func others(word: UInt32, text: String) {
    #expect(Instruction(word, at: 0x1000) == .other)
  }
}
