import Foundation

/// clang and its linker, making files for arm64 as the kernel's build does.
public enum CrossCompiler {
  /// Whether both are there.
  public static let isAvailable = tool("clang") != nil && tool("ld.lld") != nil

  /// `name` next to `swift`, or in PATH.
  private static func tool(_ name: String) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let swift = folders.map { URL(fileURLWithPath: $0).appendingPathComponent("swift") }
      .filter { FileManager.default.isExecutableFile(atPath: $0.path) }
      .map { $0.resolvingSymlinksInPath().deletingLastPathComponent().path }
    return (swift + folders).map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Whether gcc for arm64 is there as well.
  public static let hasGCC = tool("aarch64-linux-gnu-gcc") != nil

  /// Compiles C to a relocatable object.
  ///
  /// - Parameter withGCC: by gcc instead of clang.
  public static func compile(_ source: String, _ flags: [String], withGCC: Bool = false, to path: String) throws {
    let file = path + ".c"
    try source.write(toFile: file, atomically: true, encoding: .utf8)
    let arguments = ["-ffreestanding", "-c", file, "-o", path] + flags
    if withGCC {
      try run("aarch64-linux-gnu-gcc", arguments)
    } else {
      try run("clang", ["--target=aarch64-linux-gnu"] + arguments)
    }
  }

  /// Links objects to a file with addresses, as a vmlinux is one; text begins at `text`.
  public static func link(_ objects: [String], _ flags: [String] = [], text: UInt64 = 0x1_0000, to path: String) throws
  {
    let address = "0x" + String(text, radix: 16)
    try run(
      "ld.lld", ["-m", "aarch64linux", "-e", "0", "--image-base=0", "-Ttext=\(address)", "-o", path] + objects + flags)
  }

  private static func run(_ name: String, _ arguments: [String]) throws {
    guard let path = tool(name) else { throw TestSupportError("\(name) is not there") }
    let result = try ChildProcess.run(path, arguments)
    guard result.status == 0 else { throw TestSupportError("\(name) \(arguments): \(result.standardError)") }
  }
}
