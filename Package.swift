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

/// What makes the linker take a library's archive where it would take the shared one: half a million instructions
/// of a start are the search for symbols in libstdc++, and each library is a file to open and map.
///
/// With KVA_LINK=shared in the environment, for systems without the archives, the shared ones are taken.
let carriedLibraries =
  Context.environment["KVA_LINK"] == "shared"
  ? []
  : ["stdc++", "dw", "elf", "lzma", "bz2", "snappy", "lzo2", "zstd", "z"].flatMap {
    ["-Xlinker", "--remap-inputs=*/lib\($0).so=/dev/null", "-Xlinker", "-l:lib\($0).a"]
  }

let package = Package(
  name: "kva",
  products: [
    .library(name: "KernelVA", targets: ["KernelVA"]),
    .executable(name: "kva", targets: ["kva"]),
    // What Benchmarks makes its dumps with.
    .library(name: "TestSupport", targets: ["TestSupport"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
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
    .executableTarget(
      name: "kva",
      dependencies: [
        "KernelVA", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings,
      linkerSettings: [
        // A released binary carries the Swift library and the others: it starts sooner, and runs where none of
        // them is.
        .unsafeFlags(["-static-stdlib", "-use-ld=lld"] + carriedLibraries, .when(configuration: .release)),
        .linkedLibrary("_FoundationCShims", .when(configuration: .release)),
        .linkedLibrary("_FoundationCollections", .when(configuration: .release)),
      ]),

    // Writes the seeds of the fuzz targets: swift run fuzz-seeds.
    .executableTarget(
      name: "fuzz-seeds", dependencies: ["TestSupport"], path: "Tests/FuzzSeeds", swiftSettings: testSettings),

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
    .testTarget(name: "CommandTests", dependencies: ["kva", "TestSupport"], swiftSettings: testSettings),
  ]
)
