/// `kern_hyp_va`: maps linear addresses to addresses at EL2, in kernels without VHE.
///
///     linear address    ffff 6148 8|0dc6800          va_mask    0000 0000 0|fffffff
///     hyp address       0000 f805 e|0dc6800          tag_val    f805e, tag_lsb 28
///
/// The bits below the tag are those of the linear address; the tag is random except for one bit, which keeps the result
/// out of the half with the identity-mapped page. (arch/arm64/kvm/va_layout.c, `compute_layout`;
/// arch/arm64/include/asm/kvm_mmu.h, 4.17 and later)
package struct KernHypVA: Hashable, Sendable {
  /// va_mask: the bits that an address keeps.
  package let vaMask: UInt64
  /// tag_lsb: the lowest bit of the tag, 0 to 63.
  package let tagLSB: Int
  /// tag_val: the tag, not yet shifted; 0 if the address had no bits to spare (4.17 to 5.9).
  package let tagValue: UInt64

  /// From the kernel's three values; nil if they are impossible: the tag overlaps the mask or reaches the upper half,
  /// or the mask keeps nothing.
  package init?(vaMask: UInt64, tagLSB: UInt64, tagValue: UInt64) {
    guard vaMask != 0, vaMask >> 55 == 0, tagLSB < 55, (tagValue << tagLSB) >> tagLSB == tagValue else { return nil }
    let tag = tagValue << tagLSB
    guard tag & vaMask == 0, tag >> 55 == 0 else { return nil }
    self.vaMask = vaMask
    self.tagLSB = Int(tagLSB)
    self.tagValue = tagValue
  }

  /// The bits above the mask, the same in every address of the linear part.
  package var tag: UInt64 { tagValue << UInt64(tagLSB) }

  /// The hyp address of a linear address.
  package func hypervisorAddress(ofLinear address: UInt64) -> UInt64 { address & vaMask | tag }

  /// The linear address of a hyp address, given any other linear address of RAM: all are equal above the mask. nil if
  /// `address` does not have the tag.
  package func linearAddress(of address: UInt64, like linear: UInt64) -> UInt64? {
    address & ~vaMask == tag ? address & vaMask | linear & ~vaMask : nil
  }

  /// The transform that is patched into `code`: five instructions, of which the last four are nops without a tag, and
  /// all of them under VHE. nil if there are none, or they differ. (`kvm_update_va_mask`: and, ror #tag_lsb, add lo12,
  /// add hi12 << 12, ror #(64 - tag_lsb))
  init?(patchedInto code: [Instruction]) {
    var found: Self?
    guard code.count >= 5 else { return nil }
    for start in 0...(code.count - 5) {
      guard let here = Self(sequence: code[start..<(start + 5)]) else { continue }
      guard found == nil || found == here else { return nil }
      found = here
    }
    guard let found else { return nil }
    self = found
  }

  private init?(sequence: ArraySlice<Instruction>) {
    let at = sequence.startIndex
    guard case .and(let register, _, let mask) = sequence[at] else { return nil }
    if sequence.dropFirst().allSatisfy({ $0 == .nop }) {
      self.init(vaMask: mask, tagLSB: 0, tagValue: 0)
      return
    }
    guard sequence.dropFirst().allSatisfy({ $0.changes(register) }),
      case .rotateRight(_, _, let down) = sequence[at + 1], case .add(_, _, let low) = sequence[at + 2],
      case .add(_, _, let high) = sequence[at + 3], case .rotateRight(_, _, let up) = sequence[at + 4],
      down + up == 64, low < 1 << 12, high & 0xfff == 0
    else { return nil }
    self.init(vaMask: mask, tagLSB: UInt64(down), tagValue: low | high)
  }
}

extension Instruction {
  /// Whether it only changes `register` by a constant.
  fileprivate func changes(_ register: Int) -> Bool {
    switch self {
    case .add(let rd, let rn, _), .rotateRight(let rd, let rn, _): rd == register && rn == register
    default: false
    }
  }
}
