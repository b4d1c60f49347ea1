/// How much of what a file claims is believed, each with its reason.
///
/// Memory follows what is used, never what a field announces; these bound the loops and the few
/// allocations that follow a count in a file.
public enum Limits {
  /// Program headers of a core: a machine of 64 TiB in 1 GiB pieces has 65,536; a sixteenfold margin.
  public static let programHeaders = 1 << 20
  /// Bytes of one note segment: 4,096 CPUs with SVE state of 20 KiB each are 80 MiB.
  public static let noteBytes: UInt64 = 256 << 20
  /// Notes read from one dump: a handful for each of 8,192 CPUs.
  public static let notes = 1 << 17
  /// Bytes of VMCOREINFO text: the kernel gives it one page, of 64 KiB at most
  /// (`VMCOREINFO_BYTES`, include/linux/vmcore_info.h).
  public static let vmcoreinfoBytes = 64 << 10
  /// Section headers of a vmlinux: one built with a section a function has some 100,000.
  public static let sections = 1 << 20
  /// Symbols of a vmlinux: a debug build of an allyesconfig kernel has about a million.
  public static let symbols = 1 << 23
  /// Bytes of a symbol name that are looked at (`KSYM_NAME_LEN` is 512 since 6.1).
  public static let symbolName = 4096
  /// Bytes of one query or option value read from standard input.
  public static let queryBytes = 64 << 10
  /// Near names offered for an unknown symbol.
  public static let suggestions = 3
}
