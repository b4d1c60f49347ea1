/// MAIR_EL1: eight bytes, one for each AttrIndx. (Arm ARM D19, MAIR_EL1)
package struct MemoryAttributeIndirection: RawRepresentable, Hashable, Sendable {
  /// The register.
  package let rawValue: UInt64
  /// Takes the register's value.
  @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The attribute byte of `index` (0 to 7).
  @inlinable package func attribute(_ index: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: rawValue &>> UInt64(truncatingIfNeeded: index &* 8))
  }

  /// The memory type of `index` by Arm's name.
  package func memoryType(_ index: Int) -> MemoryType { MemoryType(attribute: attribute(index)) }
}

/// The attribute bytes of MAIR_EL1 that Linux uses.
package enum MemoryType: String, Hashable, Sendable {
  /// 0xff: write-back cacheable.
  case normal
  /// 0xf0: write-back cacheable with allocation tags (MTE).
  case normalTagged = "normal-tagged"
  /// 0x44: non-cacheable.
  case normalNonCacheable = "normal-nc"
  /// 0xbb: write-through.
  case normalWriteThrough = "normal-wt"
  /// 0x00.
  case deviceNGnRnE = "device-nGnRnE"
  /// 0x04.
  case deviceNGnRE = "device-nGnRE"
  /// 0x08.
  case deviceNGRE = "device-nGRE"
  /// 0x0c.
  case deviceGRE = "device-GRE"
  /// Any other byte.
  case other

  /// Reads an attribute byte.
  package init(attribute: UInt8) {
    self =
      switch attribute {
      case 0xff: .normal
      case 0xf0: .normalTagged
      case 0x44: .normalNonCacheable
      case 0xbb: .normalWriteThrough
      case 0x00: .deviceNGnRnE
      case 0x04: .deviceNGnRE
      case 0x08: .deviceNGRE
      case 0x0c: .deviceGRE
      default: .other
      }
  }

  /// Whether it is one of the Device types.
  package var isDevice: Bool {
    switch self {
    case .deviceNGnRnE, .deviceNGnRE, .deviceNGRE, .deviceGRE: true
    default: false
    }
  }
}
