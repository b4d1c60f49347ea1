/// The target of a table entry, or why it has none.
@usableFromInline
package enum EntryTarget: Hashable, Sendable {
  /// Invalid: the MMU faults.
  case invalid
  /// The next table.
  case table(PhysicalAddress)
  /// The first byte of the page or block that it maps.
  case memory(PhysicalAddress)
  /// A malformed entry.
  case corrupt(WalkResult.Corruption)
}

extension TranslationRegime {
  /// The target of `descriptor` in a table of `level`, each of whose entries translates 2^`shift` bytes.
  @inlinable @inline(__always)
  package func decode(_ descriptor: Descriptor, level: Int, shift: Int) -> EntryTarget {
    switch descriptor.kind(level: level, format: format) {
    case .invalid: return .invalid
    case .reserved: return .corrupt(.reservedEncoding)
    case .table:
      let address = format.outputAddress(descriptor.rawValue, shift: granule.pageShift)
      return isPhysical(address) ? .table(address) : .corrupt(.addressOutOfRange(address))
    case .block, .page:
      let address = format.outputAddress(descriptor.rawValue, shift: shift)
      return isPhysical(address) ? .memory(address) : .corrupt(.addressOutOfRange(address))
    }
  }

  /// Whether `address` lies below 2^`physicalBits`.
  @inlinable @inline(__always)
  func isPhysical(_ address: PhysicalAddress) -> Bool {
    address.rawValue &>> UInt64(truncatingIfNeeded: physicalBits) == 0
  }
}
