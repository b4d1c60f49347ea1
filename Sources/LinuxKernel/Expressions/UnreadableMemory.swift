import Bytes
import Bytes
import CrashDump
import VMSA

/// Messages for unreadable kernel memory.
enum UnreadableMemory {
  /// Why `count` bytes from `address`, which has no tag, cannot be read.
  static func describe(_ context: KernelContext, _ address: UInt64, _ count: Int) -> Diagnostic {
    guard VirtualAddress(address).isCanonical(bits: context.regime.addressBits) else {
      return Diagnostic(.notCanonical, hex(address), "\(hex(address)) is not an address: it is not canonical")
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
    case .unmapped(let place, let result)?: return describe(hex(place.rawValue), result)
    case .absent(let place, let fault)?: return context.dump.diagnostic(fault).explaining(hex(place.rawValue))
    case nil: return Diagnostic(.pageUnreadable, hex(address), "\(hex(address)) cannot be read")
    }
  }

  private static func describe(_ address: String, _ result: WalkResult) -> Diagnostic {
    let untranslated = "\(address) cannot be translated"
    return switch result {
    case .unmapped: Diagnostic(.entryInvalid, address, "\(address) is not mapped")
    case .corrupt(_, .reservedEncoding): Diagnostic(.reservedEncoding, address, untranslated)
    case .corrupt(_, .addressOutOfRange): Diagnostic(.addressOutOfRange, address, untranslated)
    case .notCanonical: Diagnostic(.notCanonical, address, untranslated)
    case .tableMissing, .mapped: Diagnostic(.tableUnreadable, address, untranslated)
    }
  }
}
