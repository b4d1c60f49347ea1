// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is compiled with.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableExperimentalFeature("Lifetimes"),
]

/// Tests may use pointers and Foundation as they like.
let testSettings: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

/// What makes a released binary carry the Swift library, and `libraries` from their archives: it runs where none of
/// them is, and starts sooner. Half a million instructions of a start are the search for symbols in libstdc++, and each
/// library is a file to open and map.
///
/// With KVA_LINK=shared in the environment, for systems without the archives, the shared ones are taken.
func carrying(_ libraries: [String]) -> [String] {
  let archives = Context.environment["KVA_LINK"] == "shared" ? [] : libraries
  return ["-static-stdlib", "-use-ld=lld"]
    + archives.flatMap { ["-Xlinker", "--remap-inputs=*/lib\($0).so=/dev/null", "-Xlinker", "-l:lib\($0).a"] }
}

/// Those whose archives a shared library can carry; Debian compiles the others for executables alone.
let independentLibraries = ["stdc++", "snappy", "lzo2", "zstd", "z"]

let package = Package(
  name: "kva",
  products: [
    .library(name: "KernelVA", targets: ["KernelVA"]),
    // gdb's remote serial protocol over any transport.
    .library(name: "GDBServer", targets: ["GDBServer"]),
    .executable(name: "kva", targets: ["kva"]),
    // libkva-c.so: the functions of Sources/CKva/kva.h.
    .library(name: "kva-c", type: .dynamic, targets: ["KernelVAC"]),
  ],
  traits: [
    .default(enabledTraits: ["Command"]),
    .trait(name: "Command", description: "The command kva. A package that uses the library alone can do without."),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .systemLibrary(name: "CElf", pkgConfig: "libelf", providers: [.apt(["libelf-dev"])]),
    .systemLibrary(name: "CDw", pkgConfig: "libdw", providers: [.apt(["libdw-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CLzo2", pkgConfig: "lzo2", providers: [.apt(["liblzo2-dev"])]),
    .systemLibrary(name: "CSnappy", pkgConfig: "snappy", providers: [.apt(["libsnappy-dev"])]),

    .target(name: "Bytes", swiftSettings: settings),
    .target(name: "ELF", dependencies: ["Bytes", "CElf"], swiftSettings: settings),
    .target(name: "VMSA", dependencies: ["Bytes"], swiftSettings: settings),
    .target(
      name: "DebugInfo", dependencies: ["Bytes", "ELF", "CElf", "CDw", "CZlib", "CZstd"], swiftSettings: settings),
    .target(
      name: "CrashDump", dependencies: ["Bytes", "ELF", "VMSA", "CElf", "CZlib", "CZstd", "CLzo2", "CSnappy"],
      swiftSettings: settings),
    .target(name: "KernelLayout", dependencies: ["VMSA"], swiftSettings: settings),
    .target(
      name: "LinuxKernel", dependencies: ["Bytes", "ELF", "VMSA", "CrashDump", "DebugInfo", "KernelLayout"],
      swiftSettings: settings),
    .target(
      name: "KernelVA", dependencies: ["Bytes", "VMSA", "CrashDump", "DebugInfo", "KernelLayout", "LinuxKernel"],
      swiftSettings: settings),
    .target(name: "GDBServer", dependencies: ["KernelVA"], swiftSettings: settings),
    .executableTarget(
      name: "kva",
      dependencies: [
        "GDBServer",
        "KernelVA",
        .product(
          name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Command"])),
      ],
      swiftSettings: settings,
      linkerSettings: [
        .unsafeFlags(
          carrying(["stdc++", "dw", "elf", "lzma", "bz2", "snappy", "lzo2", "zstd", "z"]),
          .when(configuration: .release)),
        .linkedLibrary("_FoundationCShims", .when(configuration: .release)),
        .linkedLibrary("_FoundationCollections", .when(configuration: .release)),
      ]),
    .systemLibrary(name: "CKva"),
    .target(
      name: "KernelVAC", dependencies: ["CKva", "KernelVA"], exclude: ["exports.map"], swiftSettings: settings,
      linkerSettings: [
        .unsafeFlags(
          carrying(independentLibraries)
            + ["-Xlinker", "--version-script=\(Context.packageDirectory)/Sources/KernelVAC/exports.map"],
          .when(configuration: .release))
      ]),

    // What tests build their inputs with: it shares no code with the readers.
    .target(
      name: "TestSupport", dependencies: ["CZlib", "CZstd", "CLzo2", "CSnappy"], path: "Tests/TestSupport",
      swiftSettings: testSettings),
    .testTarget(name: "BytesTests", dependencies: ["Bytes"], swiftSettings: testSettings),
    .testTarget(name: "ELFTests", dependencies: ["Bytes", "ELF"], swiftSettings: testSettings),
    .testTarget(name: "VMSATests", dependencies: ["VMSA", "TestSupport"], swiftSettings: testSettings),
    .testTarget(
      name: "CrashDumpTests", dependencies: ["Bytes", "VMSA", "CrashDump", "TestSupport"],
      swiftSettings: testSettings),
    .testTarget(
      name: "DebugInfoTests", dependencies: ["Bytes", "DebugInfo", "TestSupport"], swiftSettings: testSettings),
    .testTarget(name: "KernelLayoutTests", dependencies: ["KernelLayout", "VMSA"], swiftSettings: testSettings),
    .testTarget(
      name: "LinuxKernelTests", dependencies: ["KernelVA", "LinuxKernel", "TestSupport"], swiftSettings: testSettings),
    .testTarget(name: "CommandTests", dependencies: ["kva", "DebugInfo", "TestSupport"], swiftSettings: testSettings),
  ]
)

// They see what is `package`, so they are of this package; with KVA_DEVELOPMENT in the environment, so that nobody
// who builds kva builds them, or needs their flags.
if Context.environment["KVA_DEVELOPMENT"] != nil {
  package.targets += [
    .executableTarget(
      name: "kva-bench", dependencies: ["CBaseline", "cold-baseline", "launch", "KernelVA", "TestSupport"],
      path: "Benchmarks/Sources/kva-bench", swiftSettings: testSettings,
      // What this linker makes valgrind can read.
      linkerSettings: [.unsafeFlags(["-use-ld=lld"])]),
    .executableTarget(name: "cold-baseline", dependencies: ["CBaseline"], path: "Benchmarks/Sources/cold-baseline"),
    .executableTarget(name: "launch", path: "Benchmarks/Sources/launch"),
    .target(
      name: "CBaseline", path: "Benchmarks/Sources/CBaseline", cSettings: [.unsafeFlags(["-O2", "-gdwarf-4"])],
      linkerSettings: ["z", "zstd", "lzo2", "snappy"].map { .linkedLibrary($0) }),

    // Writes the seeds of the fuzz targets to TestData/fuzz.
    .executableTarget(
      name: "fuzz-seeds", dependencies: ["TestSupport"], path: "Tests/FuzzSeeds", swiftSettings: testSettings),
    .target(name: "FuzzDriver", path: "Fuzz/Sources/Driver"),
    .executableTarget(
      name: "kva-fuzz", dependencies: ["FuzzDriver", "GDBServer", "KernelVA"], path: "Fuzz/Sources/kva-fuzz",
      swiftSettings: testSettings,
      // The libraries are compiled with them by Fuzz/run. gold cannot link libFuzzer.
      linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]),
  ]
}
