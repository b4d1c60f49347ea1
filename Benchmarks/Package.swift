// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "kva-benchmarks",
  dependencies: [.package(name: "kva", path: "..")],
  targets: [
    .executableTarget(
      name: "kva-bench",
      dependencies: [
        "CBaseline", "cold-baseline", "launch", .product(name: "KernelVA", package: "kva"),
        .product(name: "TestSupport", package: "kva"),
      ],
      swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)],
      // What this linker makes valgrind can read.
      linkerSettings: [.unsafeFlags(["-use-ld=lld"])]),
    .executableTarget(name: "cold-baseline", dependencies: ["CBaseline"]),
    .executableTarget(name: "launch"),
    .target(
      name: "CBaseline", cSettings: [.unsafeFlags(["-O2", "-gdwarf-4"])],
      linkerSettings: ["z", "zstd", "lzo2", "snappy"].map { .linkedLibrary($0) }),
  ]
)
