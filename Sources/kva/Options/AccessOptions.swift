import ArgumentParser
import KernelVA

/// How to open a dump and find its kernel.
struct AccessOptions: ParsableArguments {
  @Option(help: "The kernel's ELF file, for its symbols.", completion: .file())
  var vmlinux: String?

  @Option(help: "The kernel's System.map, for names that the dump lacks.", completion: .file())
  var systemMap: String?

  @Flag(help: "Use a vmlinux that is not of the dump's kernel.")
  var force = false

  @Flag(help: "Look for no debuginfo of the kernel; a --vmlinux is used all the same.")
  var noDebuginfo = false

  @Flag(help: "Fetch debuginfo that is not installed from the servers of DEBUGINFOD_URLS.")
  var debuginfod = false

  @Option(help: ArgumentHelp("Override VA_BITS.", valueName: "bits"))
  var vaBits: VAWidth?

  @Option(help: ArgumentHelp("Override kimage_voffset.", valueName: "offset"))
  var kimageVoffset: Number?

  @Option(help: ArgumentHelp("Override PHYS_OFFSET.", valueName: "address"))
  var physOffset: Number?

  @Option(
    help: ArgumentHelp(
      "Override swapper_pg_dir, virtual or physical.", valueName: "address"))
  var swapperPgDir: Number?

  @Option(help: ArgumentHelp("Override the page size: 4K, 16K or 64K.", valueName: "size"))
  var pageSize: PageSize?

  @Option(
    help: ArgumentHelp("Keep up to this much decompressed memory, such as 64M.", valueName: "size"))
  var cacheSize: ByteSize?

  @Flag(help: "Read the dump instead of mapping it, as from a network mount that may fail.")
  var noMmap = false

  /// Whether all options have their defaults.
  var isPlain: Bool {
    vmlinux == nil && systemMap == nil && !force && !noDebuginfo && !debuginfod && vaBits == nil
      && kimageVoffset == nil && physOffset == nil && swapperPgDir == nil && pageSize == nil && cacheSize == nil
      && !noMmap
  }

  /// The options as command-line words, one each.
  var words: [String] {
    let values: [(String, String?)] = [
      ("--vmlinux", vmlinux), ("--system-map", systemMap), ("--va-bits", vaBits.map { "\($0.bits)" }),
      ("--kimage-voffset", kimageVoffset.map { "\($0.value)" }), ("--phys-offset", physOffset.map { "\($0.value)" }),
      ("--swapper-pg-dir", swapperPgDir.map { "\($0.value)" }), ("--page-size", pageSize.map { "\($0.bytes)" }),
      ("--cache-size", cacheSize.map { "\($0.bytes)" }),
    ]
    let flags = [
      ("--force", force), ("--no-debuginfo", noDebuginfo), ("--debuginfod", debuginfod), ("--no-mmap", noMmap),
    ]
    return values.compactMap { name, value in value.map { "\(name)=\($0)" } } + flags.filter(\.1).map(\.0)
  }

  /// Reports contradictions before anything is opened.
  func validate() throws {
    if noDebuginfo, debuginfod { throw ValidationError("--no-debuginfo and --debuginfod exclude each other") }
  }
}
