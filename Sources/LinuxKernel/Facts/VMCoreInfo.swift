import Bytes
import KernelLayout
import VMSA

/// VMCOREINFO, the kernel's description of itself for dump tools: lines `KEY=VALUE`.
///
/// | key | value |
/// | --- | --- |
/// | `OSRELEASE`, `BUILD-ID` | text |
/// | `PAGESIZE`, `CRASHTIME`, `SIZE(x)`, `OFFSET(s.m)`, `LENGTH(x)` | decimal |
/// | `SYMBOL(x)`, `KERNELOFFSET` | hex without 0x |
/// | `NUMBER(x)` | hex with 0x, or signed decimal |
///
/// (kernel/vmcore_info.c, arch/arm64/kernel/vmcore_info.c; kernel/crash_core.c before 6.9.)
package struct VMCoreInfo: Sendable {
  /// The text of the note.
  package private(set) var text: [UInt8]
  /// Its name in messages: "VMCOREINFO", or that of a substitute.
  package let origin: String
  private var lines: [Line]
  /// Diagnostics for lines that were ignored, since no kernel writes them.
  let damage: [Diagnostic]
  /// The sources of lines that the kernel did not write, by key.
  private var derivations: [String: Provenance]

  private struct Line: Sendable {
    var key: Range<Int>
    var value: Range<Int>
  }

  /// Splits `text` into lines. Lines without `=` are skipped; the text ends at its first NUL.
  ///
  /// A line whose value no kernel writes is ignored, and `damage` has a diagnostic for it: a kernel address that is not
  /// one, or a region bound that is not page-aligned.
  package init(_ text: [UInt8]) {
    self.init(text, origin: "VMCOREINFO", derivations: [:], isChecked: true)
  }

  /// The same for a synthesized text; `derivations` has the source of each key.
  init(_ text: [UInt8], origin: String, derivations: [String: Provenance], isChecked: Bool = false) {
    self.text = text
    self.origin = origin
    self.derivations = derivations
    var lines: [Line] = []
    let limit = min(text.firstIndex(of: 0) ?? text.count, Limits.vmcoreinfoBytes)
    var start = 0
    while start < limit {
      let end = text[start..<limit].firstIndex(of: UInt8(ascii: "\n")) ?? limit
      if let equals = text[start..<end].firstIndex(of: UInt8(ascii: "=")) {
        lines.append(Line(key: start..<equals, value: (equals + 1)..<end))
      }
      start = end + 1
    }
    var damage: [Diagnostic] = []
    if isChecked {
      lines.removeAll { line in
        guard !Self.canBe(text[line.key], text[line.value]) else { return false }
        let words = [line.key, line.value].map { String(decoding: text[$0.prefix(64)], as: UTF8.self) }
        if damage.count < Limits.listNotes {
          damage.append(
            Diagnostic(
              .vmcoreinfoLine, words[0],
              "VMCOREINFO says \(words[0])=\(words[1]), which no kernel writes; ignored"))
        }
        return true
      }
    }
    self.lines = lines
    self.damage = damage
  }

  /// This VMCOREINFO plus the lines of `other` whose keys it lacks or `replaced` names, with their sources.
  ///
  /// The kernel ends every line with a newline, so a line without one is truncated, and not trusted here.
  func completed(by other: VMCoreInfo, replacing replaced: Set<String> = []) -> VMCoreInfo {
    var result = withoutCutLine
    var text = result.text
    result.lines.removeAll { replaced.contains(String(decoding: self.text[$0.key], as: UTF8.self)) }
    let own = result
    for line in other.lines {
      let key = String(decoding: other.text[line.key], as: UTF8.self)
      guard own.value(key) == nil else { continue }
      let start = text.count
      text += other.text[line.key] + [UInt8(ascii: "=")] + other.text[line.value] + [UInt8(ascii: "\n")]
      let equals = start + line.key.count
      result.lines.append(Line(key: start..<equals, value: (equals + 1)..<(text.count - 1)))
      result.derivations[key] = other.source(key)
    }
    result.text = text
    return result
  }

  /// The same without a truncated last line.
  var withoutCutLine: VMCoreInfo {
    guard !isEnded else { return self }
    var result = self
    let end = text.firstIndex(of: 0) ?? text.count
    result.lines.removeAll { $0.value.upperBound == end }
    result.text = Array(text[..<end]) + [UInt8(ascii: "\n")]
    return result
  }

  /// Whether the last line is complete.
  var isEnded: Bool {
    let end = min(text.firstIndex(of: 0) ?? text.count, Limits.vmcoreinfoBytes)
    return end == 0 || text[end - 1] == UInt8(ascii: "\n")
  }

  /// The lines that locate the kernel, which every kernel since 4.19 writes.
  private static let expected = [
    "OSRELEASE", "PAGESIZE", "SYMBOL(swapper_pg_dir)", "SYMBOL(_stext)", "NUMBER(VA_BITS)", "NUMBER(kimage_voffset)",
    "NUMBER(PHYS_OFFSET)", "KERNELOFFSET",
  ]

  /// Those of them that are missing.
  var missing: [String] { Self.expected.filter { value($0) == nil } }

  /// Whether a kernel may have written the line: kernel objects are aligned, page tables, region bounds and the KASLR
  /// offset to pages. `_stext` is aligned to at least 2 KiB, like the vectors in the text; up to 5.10 nothing requires
  /// more. A `struct page` is a few words.
  private static func canBe(_ key: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Bool {
    func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
    func isAddress(_ address: UInt64?, aligned: UInt64) -> Bool {
      address.map { $0 & (aligned - 1) == 0 && $0 >> 55 & 1 == 1 } ?? false
    }
    if key.starts(with: "SYMBOL(".utf8) {
      let alignment: UInt64 =
        key.elementsEqual("SYMBOL(swapper_pg_dir)".utf8) ? 4096 : key.elementsEqual("SYMBOL(_stext)".utf8) ? 2048 : 4
      return isAddress(parseHex(text(value)), aligned: alignment)
    }
    switch text(key) {
    case "PAGESIZE": return UInt64(text(value)).flatMap { Granule(size: $0) } != nil
    case "NUMBER(VA_BITS)":
      return parseNumber(text(value)).map { bits in PagingParameters.widths.contains { $0 == bits } } ?? false
    case "NUMBER(MODULES_VADDR)", "NUMBER(MODULES_END)", "NUMBER(VMALLOC_START)", "NUMBER(VMALLOC_END)",
      "NUMBER(VMEMMAP_START)", "NUMBER(VMEMMAP_END)":
      return isAddress(parseNumber(text(value)), aligned: 4096)
    case "KERNELOFFSET": return parseHex(text(value)).map { $0 & 4095 == 0 } ?? false
    case "SIZE(page)": return parseSize(text(value)).map { (32...256).contains($0) && $0 % 8 == 0 } ?? false
    default: return true
    }
  }

  /// The value of the line whose key is exactly `key`; the last one if there are several, since lines appended at crash
  /// time come last.
  package func value(_ key: String) -> String? {
    let wanted = key.utf8
    guard
      let line = lines.last(where: { $0.key.count == wanted.count && text[$0.key].elementsEqual(wanted) })
    else { return nil }
    return String(decoding: text[line.value], as: UTF8.self)
  }

  /// The source of the line `key`.
  func source(_ key: String) -> Provenance { derivations[key] ?? .vmcoreinfo(key: key, origin: origin) }

  /// `NUMBER(name)`: hex if it begins with 0x, else signed decimal; negative ones as two's complement.
  package func number(_ name: String) -> UInt64? { value("NUMBER(\(name))").flatMap(Self.parseNumber) }
  /// `SYMBOL(name)`: an address, or for arrays and `vmemmap` the value itself.
  package func symbol(_ name: String) -> UInt64? { value("SYMBOL(\(name))").flatMap(Self.parseHex) }
  /// `OFFSET(structure.member)` in bytes.
  package func offset(_ member: String) -> Int? { value("OFFSET(\(member))").flatMap(Self.parseSize) }
  /// `SIZE(type)` in bytes.
  package func size(_ type: String) -> Int? { value("SIZE(\(type))").flatMap(Self.parseSize) }
  /// `LENGTH(array)` in elements.
  package func length(_ array: String) -> Int? { value("LENGTH(\(array))").flatMap(Self.parseSize) }
  /// `KERNELOFFSET`: the KASLR offset of the image from its link address, in bytes.
  package var kernelOffset: UInt64? { value("KERNELOFFSET").flatMap(Self.parseHex) }
  /// `OSRELEASE`, as `uname -r` prints it.
  package var release: String? { value("OSRELEASE") }
  /// `BUILD-ID` in lowercase hex (5.9 and later).
  package var buildID: String? { value("BUILD-ID") }
  /// `PAGESIZE` in bytes.
  package var pageSize: UInt64? { value("PAGESIZE").flatMap { UInt64($0) } }
  /// `CRASHTIME` in seconds since 1970; only in dumps written by a crash kernel.
  package var crashTime: UInt64? { value("CRASHTIME").flatMap { UInt64($0) } }

  /// Whether it has lines that describe types.
  var hasTypes: Bool {
    lines.contains { text[$0.key].starts(with: "OFFSET(".utf8) || text[$0.key].starts(with: "SIZE(".utf8) }
  }

  /// The names in `SYMBOL(...)` lines with their values.
  package var symbols: [(name: String, value: UInt64)] {
    let prefix = "SYMBOL(".utf8
    return lines.compactMap { line in
      guard text[line.key].starts(with: prefix), text[line.key].last == UInt8(ascii: ")") else { return nil }
      let name = text[(line.key.lowerBound + prefix.count)..<(line.key.upperBound - 1)]
      guard let value = Self.parseHex(String(decoding: text[line.value], as: UTF8.self)) else { return nil }
      return (String(decoding: name, as: UTF8.self), value)
    }
  }

  /// A size or an offset that a structure can have.
  private static func parseSize(_ text: String) -> Int? {
    Int(text).flatMap { (0...Limits.structureBytes).contains($0) ? $0 : nil }
  }

  private static func parseHex(_ text: String) -> UInt64? {
    UInt64(text.hasPrefix("0x") ? text.dropFirst(2) : text[...], radix: 16)
  }

  private static func parseNumber(_ text: String) -> UInt64? {
    if text.hasPrefix("0x") { return parseHex(text) }
    return Int64(text).map { UInt64(bitPattern: $0) } ?? UInt64(text)
  }
}
