/// Writes dumps as Xen does of a guest: an ELF core of sections alone. (xen, docs/misc/dump-core-format.txt)
public enum XenCoreWriter {
  /// A dump of `pages`, of 4 KiB each, by frame number; `~0` for a page that has none.
  ///
  /// - Parameter isTranslated: whether the frame numbers are those of the guest alone (.xen_pfn).
  public static func bytes(
    _ pages: [(frame: UInt64, bytes: [UInt8])], machine: UInt16 = 183, isTranslated: Bool = true
  ) -> [UInt8] {
    func little(_ values: [UInt64]) -> [UInt8] {
      values.flatMap { (value: UInt64) -> [UInt8] in [UInt8](little: value) }
    }
    let numbers: [UInt64] = isTranslated ? pages.map { $0.frame } : pages.flatMap { [$0.frame, $0.frame &+ 0x1000] }
    let names = ["", ".shstrtab", ".note.Xen", ".xen_pages", isTranslated ? ".xen_pfn" : ".xen_p2m"]
    let text: [UInt8] = names.flatMap { (name: String) -> [UInt8] in Array(name.utf8) + [0] }
    // namesz, descsz, type, "Xen", then magic, virtual CPUs, pages, bytes of a page.
    var note: [UInt8] = []
    for value in [UInt32(4), 32, 0x200_0001] { note += [UInt8](little: value) }
    note += Array("Xen\0".utf8) + little([0xf00f_ebed, 1, UInt64(pages.count), 4096])
    let contents: [[UInt8]] = [[], text, note, pages.flatMap { $0.bytes }, little(numbers)]
    var offsets: [UInt64] = []
    var body: [UInt8] = []
    let start: UInt64 = 64 + 64 * 5
    for part in contents {
      // Pages begin at pages.
      let alignment = part.count >= 4096 ? 4096 : 8
      while (Int(start) + body.count) % alignment != 0 { body.append(0) }
      offsets.append(start + UInt64(body.count))
      body += part
    }
    var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8)
    file += [UInt8](little: UInt16(4)) + [UInt8](little: machine) + [UInt8](little: UInt32(1))
    file += little([0, 0, 64]) + [UInt8](little: UInt32(0))
    for value in [UInt16(64), 0, 0, 64, 5, 1] { file += [UInt8](little: value) }
    var name = 0
    for (number, part) in contents.enumerated() {
      file += [UInt8](little: UInt32(name)) + [UInt8](little: [UInt32(0), 3, 7, 1, 1][number])
      file += little([0, 0, number == 0 ? 0 : offsets[number], UInt64(part.count)])
      file += [UInt8](little: UInt64(0)) + little([0, 0])
      name += names[number].utf8.count + 1
    }
    return file + body
  }
}
