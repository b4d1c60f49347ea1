import Bytes
import DebugInfo

/// Finds objects in the kernel's read-only data by their structure, for kernels that do not say where they are.
struct ReadOnlyDataScan: Sendable {
  let space: KernelMemory
  /// From `_stext` to `swapper_pg_dir`, which follows the read-only data. (arch/arm64/kernel/vmlinux.lds.S; in 4.19
  /// after the data, too.)
  let range: Range<UInt64>
  /// The end of kallsyms, if known: what is mostly wanted follows soon after.
  private let kallsyms: KernelKallsyms?

  /// Bytes searched first: export tables and BTF begin within three MiB after kallsyms.
  private static let near: UInt64 = 4 << 20

  /// nil if VMCOREINFO does not locate the image.
  init?(_ space: KernelMemory, _ vmcoreinfo: VMCoreInfo?, behind kallsyms: KernelKallsyms? = nil) {
    guard let start = vmcoreinfo?.symbol("_stext"), let end = vmcoreinfo?.symbol("swapper_pg_dir"), start < end else {
      return nil
    }
    self.init(space, start..<end, behind: kallsyms)
  }

  /// Searches `image`, up to the limit of what is ever searched.
  init(_ space: KernelMemory, _ image: Range<UInt64>, behind kallsyms: KernelKallsyms? = nil) {
    self.space = space
    range = image.lowerBound..<(image.lowerBound + min(image.upperBound - image.lowerBound, ImageReach.largest))
    self.kallsyms = kallsyms
  }

  /// The ranges to search, in order.
  var ranges: [Range<UInt64>] {
    guard let first = kallsyms?.end, range.contains(first) else { return [range] }
    return [first..<min(first + Self.near, range.upperBound), range]
  }

  /// The kallsyms tables in the image: usually one set, several if ambiguous.
  func kallsymsTables() -> [KallsymsTables] {
    var result: [KallsymsTables] = []
    var anchorsLeft = Limits.kallsymsAnchors
    space.forEachPiece(range, overlap: 64) { address, bytes in
      for anchor in KallsymsFinder.anchors(in: bytes) {
        guard anchorsLeft > 0 else { return false }
        anchorsLeft -= 1
        result += KallsymsFinder.tables(around: address + UInt64(anchor), in: space)
      }
      return result.isEmpty
    }
    return result
  }

  /// The release in the kernel's banner.
  func banner() -> String? {
    var result: String?
    space.forEachPiece(range, overlap: 64) { address, bytes in
      for offset in bytes.occurrences(of: Array(KernelBanner.prefix.utf8)) {
        guard let text = space.string(at: address + UInt64(offset), limit: 128),
          let release = KernelBanner.release(text)
        else { continue }
        result = release
        return false
      }
      return true
    }
    return result
  }

  /// The BTF of the kernel: the first header whose sections are sound.
  func btf() -> BTFTypes? {
    for range in ranges {
      var result: BTFTypes?
      space.forEachPiece(range, overlap: BTFTypes.headerBytes) { address, bytes in
        for offset in bytes.occurrences(of: BTFTypes.magic) {
          guard let size = BTFTypes.size(ofHeader: bytes[offset...]),
            let found = space.bytes(at: address + UInt64(offset), count: size),
            let types = BTFTypes(found, origin: "BTF in the dump"), types.typeCount > 1
          else { continue }
          result = types
          return false
        }
        return true
      }
      if let result { return result }
    }
    return nil
  }
}
