/// Dumps of other architectures, which kva does not read.
enum ForeignMachine {
  /// What to say of a dump from another machine, by utsname.machine; nil if that is arm64, empty, or not a machine that
  /// Linux supports.
  static func describe(_ field: ArraySlice<UInt8>) -> String? {
    let name = String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    if name == "aarch64_be" { return "a dump of a big-endian kernel; kva reads little-endian kernels only" }
    let others = [
      "x86_64", "i386", "i486", "i586", "i686", "armv", "ppc", "riscv", "s390", "loongarch", "mips", "sparc", "ia64",
      "alpha", "parisc", "m68k",
    ]
    guard others.contains(where: name.hasPrefix), name.utf8.count < 16,
      name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { return nil }
    return "\("aeio".contains(name.prefix(1)) || name.hasPrefix("x86") || name.hasPrefix("s390") ? "an" : "a") "
      + "\(name) dump; kva reads arm64"
  }
}
