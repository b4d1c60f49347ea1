import Bytes
import DebugInfo
import VMSA

extension Kernel {
  /// Copies the bytes at virtual `address` into `buffer`, page by page through the tables.
  public func read(_ address: VirtualAddress, into buffer: inout MutableRawSpan) throws(ReadFault) {
    try space.read(address, into: &buffer)
  }
}
