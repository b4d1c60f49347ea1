import Bytes
import KernelLayout
import VMSA

/// Where the kernel's own arithmetic puts an address, to hold the tables against.
package struct Arithmetic: Sendable {
  /// An address by arithmetic.
  package struct Answer: Hashable, Sendable {
    /// The rule in words, such as "virtual - kimage_voffset".
    package let rule: String
    /// Where it puts the address.
    package let physical: PhysicalAddress
  }

  /// Virtual minus physical address in the linear map, modulo 2^64; nil if nothing shows it.
  package let linearOffset: Sourced<UInt64>?
  /// Virtual minus physical address of the kernel image (kimage_voffset).
  package let imageOffset: UInt64?

  init(_ linearMap: LinearMap, imageOffset: UInt64?) {
    linearOffset = linearMap.offset
    self.imageOffset = imageOffset
  }

  /// Where arithmetic puts `address`, which lies in `region`; nil if there is no rule for it.
  package func answer(_ address: VirtualAddress, in region: Region?) -> Answer? {
    switch region {
    case .linearMap?:
      guard let linearOffset else { return nil }
      return Answer(
        rule: "virtual - \(hex(linearOffset.value)), by \(linearOffset.source)",
        physical: PhysicalAddress(address.rawValue &- linearOffset.value))
    case .kernelImage?:
      guard let imageOffset else { return nil }
      return Answer(
        rule: "virtual - kimage_voffset \(hex(imageOffset))",
        physical: PhysicalAddress(address.rawValue &- imageOffset))
    default: return nil
    }
  }
}
