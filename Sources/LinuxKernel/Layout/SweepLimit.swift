import Bytes
import CrashDump
import VMSA

extension DumpFile {
  /// How many tables of `granule` a pass may read before it is taken to be caught in tables that lead to
  /// themselves: each true table is a page of memory of its own that the dump holds, but for KASAN's.
  func tableLimit(_ granule: Granule) -> Int {
    Int(min(storedBytes >> UInt64(granule.pageShift), UInt64(Limits.sweptTables))) + 4096
  }
}
