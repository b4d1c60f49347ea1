import Bytes
import KernelLayout
import VMSA

/// The kernel's own address arithmetic, to check the tables against.
package struct Arithmetic: Sendable {
  /// An address by arithmetic.
  package struct Answer: Hashable, Sendable {
    /// The rule as text, such as "virtual - kimage_voffset".
    package let rule: String
    /// The resulting physical address.
    package let physical: PhysicalAddress
  }

  /// Virtual minus physical address in the linear map, modulo 2^64; nil if unknown.
  package let linearOffset: Sourced<UInt64>?
  /// Virtual minus physical address of the kernel image (kimage_voffset).
  package let imageOffset: UInt64?

  init(_ linearMap: LinearMap, imageOffset: UInt64?) {
    linearOffset = linearMap.offset
    self.imageOffset = imageOffset
  }

  /// The physical address of `address` in `region` by arithmetic; nil if no rule applies.
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
