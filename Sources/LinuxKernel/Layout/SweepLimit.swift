import Bytes
import CrashDump
import VMSA

extension DumpFile {
  /// The most tables of `granule` that a pass may read before it is assumed to be caught in a cycle: each real table,
  /// except KASAN's shared ones, is a page of its own in the dump.
  func tableLimit(_ granule: Granule) -> Int {
    Int(min(storedBytes >> UInt64(granule.pageShift), UInt64(Limits.sweptTables))) + 4096
  }
}
