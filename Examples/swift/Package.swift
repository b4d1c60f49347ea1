// swift-tools-version: 6.2
import PackageDescription

let kernelVA: [Target.Dependency] = [.product(name: "KernelVA", package: "kva")]

let package = Package(
  name: "kva-examples",
  dependencies: [
    // From elsewhere: .package(url: "https://…/kva", from: "…")
    .package(name: "kva", path: "../..")
  ],
  targets: [
    .executableTarget(name: "ResolvePointers", dependencies: kernelVA),
    .executableTarget(name: "ModuleText", dependencies: kernelVA),
    .executableTarget(name: "CompareLayouts", dependencies: kernelVA),
    .executableTarget(name: "WritableExecutable", dependencies: kernelVA),
  ])
