// swift-tools-version: 6.2
import PackageDescription

let kernelVA: [Target.Dependency] = [.product(name: "KernelVA", package: "kva")]

let package = Package(
  name: "kva-examples",
  dependencies: [
    // From elsewhere: .package(url: "https://…/kva", from: "…")
    // SwiftPM calls a package at a path by the path's last part, so the checkout, which may be called anything, is
    // reached by a link that is called kva.
    .package(path: "kva")
  ],
  targets: [
    .executableTarget(name: "ResolvePointers", dependencies: kernelVA),
    .executableTarget(name: "ModuleText", dependencies: kernelVA),
    .executableTarget(name: "CompareLayouts", dependencies: kernelVA),
    .executableTarget(name: "WritableExecutable", dependencies: kernelVA),
  ])
