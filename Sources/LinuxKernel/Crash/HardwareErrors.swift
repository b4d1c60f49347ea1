import Bytes
import DebugInfo

/// Counts of hardware errors that the kernel recovered from. (`hwerr_data`, kernel/vmcore_info.c, 6.18)
package struct HardwareErrors: Sendable {
  /// Errors of one kind.
  package struct Count: Hashable, Sendable {
    /// "cpu", "memory", "pci", "cxl" or "other".
    package let kind: String
    /// The number of errors.
    package let count: Int
    /// The time of the last, in seconds since 1970; nil if there was none.
    package let last: UInt64?
  }

  /// All kinds, in the kernel's order.
  package let counts: [Count]

  /// `enum hwerr_error_type`. (include/uapi/linux/vmcore.h)
  private static let kinds = ["cpu", "memory", "pci", "cxl", "other"]

  /// nil if the kernel keeps no counts, or they are not in the dump.
  init?(_ symbols: KernelSymbols, _ types: KernelTypes, _ memory: KernelMemory) {
    guard let table = symbols.symbol(named: "hwerr_data"), let size = types.size(of: "hwerr_info"), size > 0,
      let count = types.member("count", of: "hwerr_info"), let last = types.member("timestamp", of: "hwerr_info")
    else { return nil }
    var counts: [Count] = []
    for (number, kind) in Self.kinds.enumerated() {
      let entry = StructView(space: memory, address: table.address &+ UInt64(number * size))
      guard let found = entry.number(count), found <= Int32.max, let time = entry.number(last) else { return nil }
      counts.append(Count(kind: kind, count: Int(found), last: time == 0 ? nil : time))
    }
    self.counts = counts
  }
}
