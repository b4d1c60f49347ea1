import Testing

@testable import LinuxKernel

/// `kern_hyp_va` worked by hand, and read from code as GNU as assembles it.
@Suite struct HypervisorTransformTests {
  @Test("5.10 and later: the bits below the tag stay, the tag comes above them")
  func withTag() throws {
    // 256 MiB of RAM at 0x40000000, its linear map from 0xffff614880000000: addresses differ in bits 27:0, so
    // the tag begins at bit 28.
    let transform = try #require(KernHypVA(vaMask: 0xfff_ffff, tagLSB: 28, tagValue: 0xf805e))
    #expect(transform.tag == 0xf805_e000_0000)
    #expect(transform.hypervisorAddress(ofLinear: 0xffff_6148_80dc_6800) == 0xf805_e0dc_6800)
    #expect(transform.linearAddress(of: 0xf805_e0dc_6800, like: 0xffff_6148_8000_0000) == 0xffff_6148_80dc_6800)
    #expect(transform.linearAddress(of: 0xf805_f0dc_6800, like: 0xffff_6148_8000_0000) == nil)
    #expect(transform.linearAddress(of: 0x40dc_2000, like: 0xffff_6148_8000_0000) == nil)
  }

  @Test("Without RANDOMIZE_BASE the tag is the one bit that the idmap page does not have")
  func withoutRandomness() throws {
    // VA 39, RAM up to bit 34: tag_lsb 35, bit 38 of the idmap's address is 0.
    let transform = try #require(KernHypVA(vaMask: 0x7_ffff_ffff, tagLSB: 35, tagValue: 8))
    #expect(transform.hypervisorAddress(ofLinear: 0xffff_ff81_2345_6789) == 0x41_2345_6789)
    #expect(transform.linearAddress(of: 0x41_2345_6789, like: 0xffff_ff80_0000_0000) == 0xffff_ff81_2345_6789)
  }

  @Test("4.19 without bits to spare: the linear map's own bits, the top one as the idmap leaves it")
  func withoutTag() throws {
    // VA 48 of 4.19: the linear map is the upper half of the kernel's, bit 47 set, and RAM spans it.
    let high = try #require(KernHypVA(vaMask: 0xffff_ffff_ffff, tagLSB: 0, tagValue: 0))
    #expect(high.hypervisorAddress(ofLinear: 0xffff_8123_4567_89ab) == 0x8123_4567_89ab)
    #expect(high.linearAddress(of: 0x8123_4567_89ab, like: 0xffff_8000_0000_0000) == 0xffff_8123_4567_89ab)
    // The idmap page is in the upper part itself, so bit 47 goes.
    let low = try #require(KernHypVA(vaMask: 0x7fff_ffff_ffff, tagLSB: 0, tagValue: 0))
    #expect(low.hypervisorAddress(ofLinear: 0xffff_8123_4567_89ab) == 0x123_4567_89ab)
    #expect(low.linearAddress(of: 0x123_4567_89ab, like: 0xffff_8000_0000_0000) == 0xffff_8123_4567_89ab)
    #expect(low.linearAddress(of: 0x8123_4567_89ab, like: 0xffff_8000_0000_0000) == nil)
  }

  @Test("4.19 with a tag: a random part below the bit that the idmap leaves")
  func taggedOld() throws {
    // VA 48, RAM up to bit 34 of the linear map at 0xffff8000: tag_lsb 35, bits 47:35 are the tag.
    let transform = try #require(KernHypVA(vaMask: 0x7_ffff_ffff, tagLSB: 35, tagValue: 0x1a53))
    #expect(transform.tag == 0xd298_0000_0000)
    #expect(transform.hypervisorAddress(ofLinear: 0xffff_8005_4321_0fed) == 0xd29d_4321_0fed)
    #expect(transform.linearAddress(of: 0xd29d_4321_0fed, like: 0xffff_8000_8000_0000) == 0xffff_8005_4321_0fed)
  }

  @Test(
    "Values that no kernel has are none",
    arguments: [
      (0, 28, 1), (0xfff_ffff, 20, 1), (0xfff_ffff, 28, 1 << 28), (0xfff_ffff, 63, 1), (0xfff_ffff, 200, 1),
      (1 << 60, 0, 0),
    ] as [(UInt64, UInt64, UInt64)])
  func impossible(mask: UInt64, lsb: UInt64, tag: UInt64) {
    #expect(KernHypVA(vaMask: mask, tagLSB: lsb, tagValue: tag) == nil)
  }

  private func decode(_ words: [UInt32], at address: UInt64 = 0x9200) -> [Instruction] {
    words.enumerated().map { Instruction($1, at: address + UInt64($0 * 4)) }
  }

  @Test("Instructions mean what GNU as was given")
  func instructions() {
    let words: [UInt32] = [
      0x9240_6c20, 0x9240_b820, 0x9208_9c20, 0x9200_f020, 0x9241_0420, 0x9274_cc20, 0x921e_2c20, 0x93c7_70e7,
      0xb0ff_ffe2, 0xf97f_fcc5, 0x917f_fc41, 0xd503_201f, 0xd65f_03c0,
    ]
    #expect(
      decode(words) == [
        .and(rd: 0, rn: 1, mask: 0xfff_ffff), .and(rd: 0, rn: 1, mask: 0x7fff_ffff_ffff),
        .and(rd: 0, rn: 1, mask: 0xff00_ff00_ff00_ff00), .and(rd: 0, rn: 1, mask: 0x5555_5555_5555_5555),
        .and(rd: 0, rn: 1, mask: 0x8000_0000_0000_0001), .and(rd: 0, rn: 1, mask: 0xffff_ffff_ffff_f000),
        .and(rd: 0, rn: 1, mask: 0x3ffc_0000_3ffc), .rotateRight(rd: 7, rn: 7, amount: 28),
        .pageAddress(rd: 2, page: 0x6000), .load(rt: 5, rn: 6, offset: 32760), .add(rd: 1, rn: 2, 0xfff000), .nop,
        .other,
      ])
  }

  /// and, ror, add, add, ror with x20, from Debian's 6.1.
  private static let patched: [UInt32] = [0x9240_6e94, 0x93d4_7294, 0x9101_7a94, 0x9143_e294, 0x93d4_9294]

  @Test("The patched sequence gives the kernel's three values")
  func sequence() {
    let code = decode([0xd503_233f, 0xaa00_03f4] + Self.patched + [0xd65f_03c0])
    #expect(
      KernHypVA(patchedInto: code)
        == KernHypVA(vaMask: 0xfff_ffff, tagLSB: 28, tagValue: 0xf805e))
    // Without a tag only the first is left: and x3, x3, #0xffffffffffff.
    #expect(
      KernHypVA(patchedInto: decode([0x9240_bc63] + [UInt32](repeating: 0xd503_201f, count: 4)))
        == KernHypVA(vaMask: 0xffff_ffff_ffff, tagLSB: 0, tagValue: 0))
  }

  @Test("What is no such sequence gives none: cut short, another register, other amounts, nops alone, two that differ")
  func noSequence() {
    let nop: UInt32 = 0xd503_201f
    var others: [[UInt32]] = [
      Array(Self.patched.dropLast()), Array(Self.patched.reversed()), [], [nop, nop, nop, nop, nop],
    ]
    // ror x21 instead of x20 as the last; ror #37 instead of #36.
    others.append(Self.patched.dropLast() + [0x93d5_92b5])
    others.append(Self.patched.dropLast() + [0x93d4_9694])
    // The other one has the mask 0x1fffffff.
    others.append(Self.patched + [0x9240_7294] + Self.patched.dropFirst())
    others.append(Self.patched + [0x9240_bc63, nop, nop, nop, nop])
    for code in others { #expect(KernHypVA(patchedInto: decode(code)) == nil) }
  }
}
