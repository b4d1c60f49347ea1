import ArgumentParser
import KernelVA

/// The dump, how to open it, and how to show answers: the same for every command.
struct DumpOptions: ParsableArguments {
  @Argument(
    help: "The dump: a file, a directory of parts, PART,PART... or, for raw memory, FILE@ADDRESS,...",
    completion: .file())
  var dump: String

  @OptionGroup(title: "Output options") var display: DisplayOptions
  @OptionGroup(title: "Dump options") var access: AccessOptions

  /// Whether answers are JSON.
  var json: Bool { display.json }

  /// Opens the dump.
  func open() throws -> DumpFile {
    BusError.install(dump)
    do throws(LocatedError) {
      return try DumpFile(
        path: dump, cacheSize: access.cacheSize?.bytes ?? DumpFile.defaultCacheSize, isMapped: !access.noMmap)
    } catch {
      throw explained(error)
    }
  }

  /// `error` with what was probably meant, if the dump does not exist.
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

  /// Where to look for debuginfo, and how to report unusable files.
  private var debugInfo: DebugInfoSearch {
    if access.debuginfod, !Debuginfod.hasServers {
      Diagnostics.report("--debuginfod: DEBUGINFOD_URLS is not set, so no server is asked")
    }
    return DebugInfoSearch(
      isEnabled: !access.noDebuginfo, debuginfod: access.debuginfod && Debuginfod.hasServers ? Debuginfod() : nil,
      report: { Diagnostics.report($0.description) })
  }

  /// `error` with the address probably meant, if raw memory has no kernel at the given address, but has one with
  /// another zero at the end, which is easily lost.
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

  /// Finds the kernel in `dump`, and warns on standard error about what is doubtful.
  func kernel(in dump: DumpFile) throws -> Kernel {
    var overrides = KernelOverrides()
    overrides.vaBits = access.vaBits?.bits
    overrides.kimageVoffset = access.kimageVoffset?.value
    overrides.physOffset = access.physOffset?.value
    overrides.swapperPgDir = access.swapperPgDir?.value
    overrides.pageSize = access.pageSize?.bytes
    overrides.names = [
      .vaBits: "--va-bits", .kimageVoffset: "--kimage-voffset", .physOffset: "--phys-offset",
      .swapperPgDir: "--swapper-pg-dir", .pageSize: "--page-size",
    ]
    let image = try access.vmlinux.map { try ELFImage(path: $0) }
    let progress = Progress("searching memory for the kernel", of: dump)
    let kernel: Kernel
    do {
      kernel = try Kernel(
        in: dump, overrides: overrides, vmlinux: image, systemMap: access.systemMap, debugInfo: debugInfo,
        force: access.force,
        progress: progress.map { $0.advance })
    } catch {
      progress?.end()
      for warning in dump.warnings { Diagnostics.report("\(dump.path): \(warning.advised)") }
      throw withOtherAddress(error)
    }
    progress?.end()
    for warning in kernel.warnings { Diagnostics.report("\(dump.path): \(warning.advised)") }
    return kernel
  }
}
