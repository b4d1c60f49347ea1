import Bytes
import DebugInfo

/// Finds what the kernel's read-only data hold by its structure, for kernels that do not say where it is.
struct ImageSearch: Sendable {
  let space: KernelSpace
  /// From `_stext` to `swapper_pg_dir`, which stands behind the read-only data.
  /// (arch/arm64/kernel/vmlinux.lds.S; in 4.19 behind the data, too.)
  let range: Range<UInt64>

  /// nil where VMCOREINFO does not tell the image.
  init?(_ space: KernelSpace, _ vmcoreinfo: VMCoreInfo?) {
    guard let start = vmcoreinfo?.symbol("_stext"), let end = vmcoreinfo?.symbol("swapper_pg_dir"), start < end else {
      return nil
    }
    self.init(space, start..<end)
  }

  /// Searches `image`, or as much of it as is ever searched.
  init(_ space: KernelSpace, _ image: Range<UInt64>) {
    self.space = space
    range = image.lowerBound..<(image.lowerBound + min(UInt64(image.count), Limits.imageBytes))
  }

  /// The tables of kallsyms that stand in the image: as a rule one set, several where it is not clear.
  func kallsymsTables() -> [KallsymsTables] {
    var result: [KallsymsTables] = []
    space.forEachPiece(range, overlap: 64) { address, bytes in
      for anchor in KallsymsFinder.anchors(in: bytes) {
        result += KallsymsFinder.tables(around: address + UInt64(anchor), in: space)
      }
      return result.isEmpty
    }
    return result
  }

  /// The release that the kernel's banner names.
  func banner() -> String? {
    var result: String?
    space.forEachPiece(range, overlap: 64) { address, bytes in
      for offset in occurrences(of: Array(Banner.prefix.utf8), in: bytes) {
        guard let text = space.string(at: address + UInt64(offset), limit: 128), let release = Banner.release(text)
        else { continue }
        result = release
        return false
      }
      return true
    }
    return result
  }

  /// The BTF of the kernel: the first header whose sections are sound.
  func btf() -> [UInt8]? {
    var result: [UInt8]?
    let magic: [UInt8] = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0]
    space.forEachPiece(range, overlap: BTFTypes.headerBytes) { address, bytes in
      for offset in occurrences(of: magic, in: bytes) {
        guard let size = BTFTypes.size(ofHeader: bytes[offset...]),
          let found = space.bytes(at: address + UInt64(offset), count: size)
        else { continue }
        result = found
        return false
      }
      return true
    }
    return result
  }
}
