import Bytes
import CrashDump
import DebugInfo

/// Whether a vmlinux matches the dump, and the KASLR offset of the dump's kernel.
enum VMLinuxMatch {
  /// Compares the build IDs, or the releases if one of them has no build ID (before 5.9).
  ///
  /// - Throws: `LocatedError` naming both if they differ.
  static func check(
    _ vmlinux: ELFImage, against vmcoreinfo: VMCoreInfo?, of dump: DumpFile
  ) throws(LocatedError) {
    func refuse(_ what: String, _ ours: String, _ theirs: String) -> LocatedError {
      LocatedError(
        file: vmlinux.path, kind: .mismatch, code: .vmlinuxMismatch,
        "is not the kernel of \(dump.path): \(what) \(ours), the dump's is \(theirs)")
    }
    if let theirs = vmcoreinfo?.buildID, let ours = vmlinux.buildID {
      guard ours == theirs else { throw refuse("its build-ID is", ours, theirs) }
      return
    }
    if let theirs = vmcoreinfo?.release, let ours = release(of: vmlinux) {
      guard ours == theirs else { throw refuse("its release is", ours, theirs) }
    }
  }

  /// The release in `linux_banner`: "Linux version RELEASE (...".
  private static func release(of vmlinux: ELFImage) -> String? {
    guard let table = try? ELFSymbolTable(vmlinux, slide: 0),
      let banner = table.symbol(named: "linux_banner"), let text = vmlinux.text(at: banner.address, limit: 512)
    else { return nil }
    let words = text.split(separator: " ")
    return words.count > 2 && words[0] == "Linux" && words[1] == "version" ? String(words[2]) : nil
  }

  /// The symbols of `vmlinux` at their addresses in the dump: moved by the offset of the root table, which is known
  /// however the kernel was found, or of `_stext`, or by KERNELOFFSET.
  static func symbols(_ vmlinux: ELFImage, _ vmcoreinfo: VMCoreInfo?) throws(LocatedError) -> ELFSymbolTable {
    let unmoved = try ELFSymbolTable(vmlinux, slide: 0)
    for name in ["swapper_pg_dir", "_stext"] {
      if let real = vmcoreinfo?.symbol(name), let linked = unmoved.symbol(named: name) {
        return try ELFSymbolTable(unmoved, slide: real &- linked.address)
      }
    }
    return try ELFSymbolTable(unmoved, slide: vmcoreinfo?.kernelOffset ?? 0)
  }
}
