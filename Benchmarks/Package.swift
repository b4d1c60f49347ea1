// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "kva-benchmarks",
  dependencies: [.package(name: "kva", path: "..")],
  targets: [
    .executableTarget(
      name: "kva-bench",
      dependencies: [
        "CBaseline", .product(name: "KernelVA", package: "kva"), .product(name: "TestSupport", package: "kva"),
      ],
      swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)],
      // valgrind reads what this linker makes.
      linkerSettings: [.unsafeFlags(["-use-ld=lld"])]),
    .target(
      name: "CBaseline", cSettings: [.unsafeFlags(["-O2", "-gdwarf-4"])],
      linkerSettings: ["z", "zstd", "lzo2", "snappy"].map { .linkedLibrary($0) }),
  ]
)
