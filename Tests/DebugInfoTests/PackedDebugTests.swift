import DebugInfo
import Foundation
import TestSupport
import Testing

/// Debug sections that are stored packed, against what the compiler itself asserts of the types in them.
@Suite(.enabled(if: CrossCompiler.isAvailable, "clang and its linker are not there"))
struct PackedDebugTests {
  private static let source = Sample.source + "\n" + Sample.plainUses + Sample.assertions

  /// The sample, linked as a vmlinux is, with `flags` to the linker.
  private static func linked(_ folder: URL, _ flags: [String] = []) throws -> String {
    let object = folder.appendingPathComponent("sample.o").path
    let path = folder.appendingPathComponent("sample").path
    try CrossCompiler.compile(source, ["-g"], to: object)
    try CrossCompiler.link([object], flags, to: path)
    return path
  }

  private static func packed(_ folder: URL, _ packer: DebugPacker) throws -> ELFImage {
    let path = try linked(folder)
    try Data(packer.pack([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))).write(to: URL(fileURLWithPath: path))
    return try ELFImage(path: path)
  }

  private static func expectSample(_ types: DWARFTypes) {
    for expected in Sample.members {
      #expect(types.member(expected.path, of: expected.type)?.offset == expected.offset, "\(expected)")
    }
    #expect(types.failure == nil)
  }

  @Test("Types and lines are what they are without packing", arguments: DebugPacker.Style.allCases)
  func styles(_ style: DebugPacker.Style) throws {
    try Scratch.withFolder { folder in
      let image = try Self.packed(folder, DebugPacker(style))
      #expect(image.hasDWARF)
      let types = DWARFTypes(image)
      Self.expectSample(types)
      let lines = Self.source.split(separator: "\n", omittingEmptySubsequences: false)
      let line = try #require(lines.firstIndex { $0.contains("int function(int x)") }) + 1
      #expect(types.sourceLine(at: 0x1_0000)?.line == line)
    }
  }

  @Test("What the linker and the compiler pack is read")
  func tools() throws {
    try Scratch.withFolder { folder in
      let linked = try Self.linked(folder, ["--compress-debug-sections=zlib"])
      Self.expectSample(DWARFTypes(try ELFImage(path: linked)))
      let object = folder.appendingPathComponent("packed.o").path
      try CrossCompiler.compile(Self.source, ["-g", "-gz=zlib"], to: object)
      Self.expectSample(DWARFTypes(try ELFImage(path: object)))
    }
  }

  /// Ways in which a packed section is not what it should be, and what is said of it.
  enum Damage: String, CaseIterable {
    case larger, smaller, huge, cut, scribbled, unknown
    var words: String {
      switch self {
      case .larger, .smaller, .cut, .scribbled: "does not unpack to the"
      case .huge: "claims"
      case .unknown: "objcopy --decompress-debug-sections"
      }
    }
  }

  /// Each damage of each style; but .zdebug does not name a way of packing.
  static let damages = DebugPacker.Style.allCases.flatMap { style in Damage.allCases.map { (style, $0) } }
    .filter { $0.0 != .gnu || $0.1 != .unknown }

  @Test("A damaged packed section is an error that says so", arguments: damages)
  func damaged(_ style: DebugPacker.Style, _ damage: Damage) throws {
    var packer = DebugPacker(style)
    packer.claim = { name, size in
      guard name == ".debug_info" else { return size }
      return switch damage {
      case .larger: size + 1
      case .smaller: size - 1
      case .huge: 1 << 40
      default: size
      }
    }
    packer.content = { name, packed in
      guard name == ".debug_info" else { return packed }
      return switch damage {
      case .cut: packed.dropLast(packed.count / 2)
      case .scribbled: [~packed[0]] + packed.dropFirst()
      default: packed
      }
    }
    if damage == .unknown { packer.type = 77 }
    try Scratch.withFolder { folder in
      let types = DWARFTypes(try Self.packed(folder, packer))
      #expect(types.size(of: "item") == nil)
      let failure = try #require(types.failure)
      #expect(failure.description.contains(damage.words), "\(failure)")
    }
  }
}
