import ArgumentParser
import KernelVA

/// The dump and how to open it: the same for every command.
struct DumpOptions: ParsableArguments {
  @Argument(
    help: "The dump: a file, a directory of parts, PART,PART... or, for raw memory, FILE@ADDRESS,...",
    completion: .file())
  var dump: String

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

  @Flag(help: "Print one JSON object a line.")
  var json = false

  @Flag(help: "On a terminal, show the output by the program that PAGER names, else by less.")
  var pager = false

  @Option(help: ArgumentHelp("Instead of what the dump says: VA_BITS.", valueName: "bits"))
  var vaBits: VAWidth?

  @Option(help: ArgumentHelp("Instead of what the dump says: kimage_voffset.", valueName: "offset"))
  var kimageVoffset: Number?

  @Option(help: ArgumentHelp("Instead of what the dump says: PHYS_OFFSET.", valueName: "address"))
  var physOffset: Number?

  @Option(
    help: ArgumentHelp(
      "Instead of what the dump says: swapper_pg_dir, virtual or physical.", valueName: "address"))
  var swapperPgDir: Number?

  @Option(help: ArgumentHelp("Instead of what the dump says: 4K, 16K or 64K.", valueName: "size"))
  var pageSize: PageSize?

  @Option(
    help: ArgumentHelp("Keep up to this much decompressed memory, such as 64M.", valueName: "size"))
  var cacheSize: ByteSize?

  @Flag(help: "Read the dump instead of mapping it, as from a network mount that may fail.")
  var noMmap = false

  /// Whether nothing is said of how to open the dump.
  var isPlain: Bool {
    vmlinux == nil && systemMap == nil && !force && !noDebuginfo && !debuginfod && vaBits == nil
      && kimageVoffset == nil && physOffset == nil && swapperPgDir == nil && pageSize == nil && cacheSize == nil
      && !noMmap
  }

  /// Opens the dump.
  func open() throws -> DumpFile {
    BusError.install(dump)
    do throws(LocatedError) {
      return try DumpFile(path: dump, cacheSize: cacheSize?.bytes ?? DumpFile.defaultCacheSize, isMapped: !noMmap)
    } catch {
      throw explained(error)
    }
  }

  /// `error` with what was probably meant, if the dump is no file.
  private func explained(_ error: LocatedError) -> LocatedError {
    guard case .system = error.kind, error.file == dump, !SystemCall.isFile(dump) else { return error }
    if dump == "-" {
      return LocatedError(
        file: dump, kind: .unsupported, "is standard input: a dump must be a file that can be sought; name one")
    }
    let words = CommandLine.arguments.dropFirst(2)
    guard let start = words.firstIndex(of: dump),
      let file = words[start...].first(where: { !$0.hasPrefix("-") && SystemCall.isFile($0) })
    else { return error }
    return LocatedError(
      file: dump, kind: error.kind,
      "\(error.message); the dump comes first: kva \(CommandLine.arguments[1]) \(file) \(dump)")
  }

  /// Contradictions are told before anything is opened.
  func validate() throws {
    if noDebuginfo, debuginfod { throw ValidationError("--no-debuginfo and --debuginfod exclude each other") }
  }

  /// Where to look for debuginfo, and how to say what was found amiss.
  private var debugInfo: DebugInfoSearch {
    if debuginfod, !Debuginfod.hasServers {
      Diagnostics.report("--debuginfod: DEBUGINFOD_URLS is not set, so no server is asked")
    }
    return DebugInfoSearch(
      isEnabled: !noDebuginfo, debuginfod: debuginfod && Debuginfod.hasServers ? Debuginfod() : nil,
      report: { Diagnostics.report($0.description) })
  }

  /// `error` with the address that was meant, if raw memory has no kernel where it was said to lie, but one if its
  /// address gets the last zero that is easily lost.
  private func withOtherAddress(_ error: LocatedError) -> LocatedError {
    guard error.kind == .missing, !dump.contains(","), !SystemCall.isFile(dump), let at = dump.lastIndex(of: "@") else {
      return error
    }
    let other = dump + "0"
    guard let file = try? DumpFile(path: other), (try? Kernel(in: file)) != nil else { return error }
    return LocatedError(
      file: error.file, offset: error.offset, kind: error.kind,
      "\(error.message); did you mean \(other[other.index(after: at)...])?")
  }

  /// Finds the kernel in `dump`, and says on standard error what is doubtful about it.
  func kernel(in dump: DumpFile) throws -> Kernel {
    var overrides = KernelOverrides()
    overrides.vaBits = vaBits?.bits
    overrides.kimageVoffset = kimageVoffset?.value
    overrides.physOffset = physOffset?.value
    overrides.swapperPgDir = swapperPgDir?.value
    overrides.pageSize = pageSize?.bytes
    overrides.names = [
      .vaBits: "--va-bits", .kimageVoffset: "--kimage-voffset", .physOffset: "--phys-offset",
      .swapperPgDir: "--swapper-pg-dir", .pageSize: "--page-size",
    ]
    let image = try vmlinux.map { try ELFImage(path: $0) }
    let progress = Progress("searching memory for the kernel", of: dump)
    let kernel: Kernel
    do {
      kernel = try Kernel(
        in: dump, overrides: overrides, vmlinux: image, systemMap: systemMap, debugInfo: debugInfo, force: force,
        progress: progress.map { $0.advance })
    } catch {
      progress?.end()
      for warning in dump.warnings { Diagnostics.report("\(dump.path): \(warning)") }
      throw withOtherAddress(error)
    }
    progress?.end()
    for warning in kernel.warnings { Diagnostics.report("\(dump.path): \(warning)") }
    return kernel
  }
}

/// Which tables translate addresses of the lower half.
struct TablesOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Use the tables of user space of a PID, of cpuN, or at a physical address.", valueName: "tables"))
  var ttbr0: String?

  @Flag(help: "Use the tables of the hypervisor (KVM without VHE), for its addresses.")
  var el2 = false

  /// Contradictions are told before anything is opened.
  func validate() throws {
    if el2, ttbr0 != nil { throw ValidationError("--el2 and --ttbr0 exclude each other.") }
  }

  /// The option as it was given; nil where none was.
  var given: String? { ttbr0.map { "--ttbr0 \($0)" } ?? (el2 ? "--el2" : nil) }
}

/// A number on the command line: hex with 0x, else decimal.
struct Number: ExpressibleByArgument {
  let value: UInt64
  init?(argument: String) {
    guard let value = Query.number(argument) else { return nil }
    self.value = value
  }
}

/// A size in bytes: a number, K, M or G behind it where wanted.
struct ByteSize: ExpressibleByArgument {
  let bytes: Int
  init?(argument: String) {
    guard let bytes = Query.byteSize(argument), bytes <= 1 << 40 else { return nil }
    self.bytes = Int(bytes)
  }
}

/// A width of virtual addresses that arm64 Linux can have.
struct VAWidth: ExpressibleByArgument {
  let bits: Int
  init?(argument: String) {
    guard let bits = Int(argument), PagingParameters.widths.contains(bits) else { return nil }
    self.bits = bits
  }
  static let allValueStrings = PagingParameters.widths.map(String.init)
}

/// A page size: 4K, 16K, 64K, or as many bytes.
struct PageSize: ExpressibleByArgument {
  let bytes: UInt64
  init?(argument: String) {
    guard let bytes = Query.byteSize(argument), Granule(size: bytes) != nil else { return nil }
    self.bytes = bytes
  }
  static let allValueStrings = ["4K", "16K", "64K"]
}
