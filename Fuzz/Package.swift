// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who builds kva builds it, or needs its flags.
let package = Package(
  name: "kva-fuzz",
  dependencies: [.package(name: "kva", path: "..")],
  targets: [
    .target(name: "Driver"),
    .executableTarget(
      name: "kva-fuzz",
      dependencies: ["Driver", .product(name: "KernelVA", package: "kva")],
      swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)],
      // The libraries are compiled with them by Fuzz/run. gold cannot link libFuzzer.
      linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]),
  ]
)
