import Bytes
import VMSA

extension Resolution {
  /// Explains the entry that ended the walk, if it was an invalid one in user tables.
  mutating func noteNonPresentPage(_ reader: NonPresentEntryReader) {
    guard status == .unmapped, let step = walk?.last, let regime, regime.register == .ttbr0EL1 else { return }
    let page = reader.page(step.descriptor.rawValue, level: step.level, of: regime)
    absentPage = page
    let words: String? =
      switch page {
      case .empty: nil
      case .protNone(let frame): "a page at \(hex(frame.rawValue)) that may not be accessed (PROT_NONE)"
      case .presentInvalid(let frame): "a page at \(hex(frame.rawValue)) that is taken out for a moment"
      case .swapped(let type, let offset): "swapped out to area \(type), slot \(hex(offset))"
      case .migration(let frame): "being moved from \(hex(frame.rawValue))"
      case .poisoned(let frame): "its memory at \(hex(frame.rawValue)) failed"
      case .device(let type, let offset): "in a device's hands, type \(type), \(hex(offset))"
      case .marker(let value): "a marker, \(hex(value))"
      case .swapError: "it could not be read back from swap"
      case .unknown: "not present; the kernel's version, which says how such entries are written, is not known"
      }
    if let words {
      message = Diagnostic(.entryInvalid, page.name, "the entry at level \(step.level) is invalid: \(words)")
    }
  }
}
