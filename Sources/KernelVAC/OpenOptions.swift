import KernelVA

/// How to open a dump: kva(1)'s options for that, under the same names.
struct OpenOptions {
  private var overrides = KernelOverrides()
  private var vmlinux: String?
  private var systemMap: String?
  private var isForced = false
  private var debugInfo = DebugInfoSearch()
  /// Bytes of decompressed pages to keep.
  private(set) var cacheSize = DumpFile.defaultCacheSize
  /// Whether files are mapped.
  private(set) var isMapped = true

  /// Reads `words`, each an option with its value after `=`.
  init(_ words: [String]) throws(Failure) {
    overrides.names = [
      .vaBits: "--va-bits", .kimageVoffset: "--kimage-voffset", .physOffset: "--phys-offset",
      .swapperPgDir: "--swapper-pg-dir", .pageSize: "--page-size",
    ]
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      try take(String(parts[0]), parts.count > 1 ? String(parts[1]) : nil)
    }
  }

  private mutating func take(_ name: String, _ value: String?) throws(Failure) {
    /// The value as parsed by `read`.
    func parsed<T>(_ read: (String) -> T?) throws(Failure) -> T {
      guard let value else { throw .option("\(name) takes a value: \(name)=VALUE") }
      guard let result = read(value) else { throw .option("'\(value)' is not a value for \(name)") }
      return result
    }
    switch name {
    case "--vmlinux": vmlinux = try parsed { $0 }
    case "--system-map": systemMap = try parsed { $0 }
    case "--va-bits":
      overrides.vaBits = try parsed { Int($0).flatMap { PagingParameters.widths.contains($0) ? $0 : nil } }
    case "--kimage-voffset": overrides.kimageVoffset = try parsed { Query.number($0) }
    case "--phys-offset": overrides.physOffset = try parsed { Query.number($0) }
    case "--swapper-pg-dir": overrides.swapperPgDir = try parsed { Query.number($0) }
    case "--page-size":
      overrides.pageSize = try parsed { Query.byteSize($0).flatMap { Granule(size: $0) }?.size }
    case "--cache-size": cacheSize = try parsed { Query.byteSize($0).flatMap { $0 <= 1 << 40 ? Int($0) : nil } }
    default:
      guard value == nil else { throw .option("there is no option \(name) with a value") }
      switch name {
      case "--force": isForced = true
      case "--no-debuginfo": debugInfo.isEnabled = false
      case "--debuginfod": debugInfo.debuginfod = Debuginfod.hasServers ? Debuginfod() : nil
      case "--no-mmap": isMapped = false
      default: throw .option("there is no option \(name)")
      }
    }
  }

  /// Opens `path`. The kernel in it is found on first use.
  func open(_ path: String) throws(Failure) -> OpenDump {
    do throws(LocatedError) {
      let dump = try DumpFile(path: path, cacheSize: cacheSize, isMapped: isMapped)
      let image = try vmlinux.map { path throws(LocatedError) in try ELFImage(path: path) }
      let options = self
      return OpenDump(dump) { () throws(LocatedError) in
        try Kernel(
          in: dump, overrides: options.overrides, vmlinux: image, systemMap: options.systemMap,
          debugInfo: options.debugInfo, force: options.isForced)
      }
    } catch {
      throw .file(error)
    }
  }
}
