import Bytes
import CrashDump
import VMSA

/// Messages for unreadable kernel memory.
enum ReadFaultText {
  /// Why `count` bytes from `address`, which has no tag, cannot be read.
  static func describe(_ context: KernelContext, _ address: UInt64, _ count: Int) -> String {
    guard VirtualAddress(address).isCanonical(bits: context.regime.addressBits) else {
      return "\(hex(address)) is not an address: it is not canonical"
    }
    var bytes = [UInt8](repeating: 0, count: min(max(count, 1), 4096))
    let fault: ReadFault? = bytes.withMutableRawSpan { span in
      do throws(ReadFault) {
        try context.memory.read(VirtualAddress(address), into: &span)
        return nil
      } catch {
        return error
      }
    }
    switch fault {
    case .unmapped(let place, let result)?:
      if case .unmapped = result { return "\(hex(place.rawValue)) is not mapped" }
      return "\(hex(place.rawValue)) cannot be translated"
    case .absent(let place, let fault)?: return "\(hex(place.rawValue)): \(context.dump.describe(fault))"
    case nil: return "\(hex(address)) cannot be read"
    }
  }
}
