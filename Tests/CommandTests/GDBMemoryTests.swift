import Foundation
import TestSupport
import Testing

/// Memory through `kva gdbserver`, page by page against the dump's own bytes, on every kind of dump.
@Suite struct GDBMemoryTests {
  /// Asks for pages of the linear map by `x`, many at once, and compares them with those of an ELF core; prints how many
  /// were equal and how many are not in the dump.
  private static let client = """
    import os, random, struct, subprocess, sys, threading
    kva, dump, core, offset = sys.argv[1], sys.argv[2], open(sys.argv[3], "rb").read(), int(sys.argv[4])
    start, = struct.unpack_from("<Q", core, 32)
    count, = struct.unpack_from("<H", core, 56)
    pages = []
    for number in range(count):
        kind, _, place, _, address, length, _, _ = struct.unpack_from("<IIQQQQQQ", core, start + 56 * number)
        if kind == 1:
            pages += [(address + step, place + step) for step in range(0, length, 4096)]
    pages = random.Random(22).sample(pages, min(10000, len(pages)))
    server = subprocess.Popen([kva, "gdbserver", dump, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)

    def packet(text):
        return b"$" + text + b"#%02x" % (sum(text) & 255)

    def ask():
        server.stdin.write(packet(b"QStartNoAckMode"))
        for address, _ in pages:
            server.stdin.write(packet(b"x%x,1000" % ((address + offset) & (1 << 64) - 1)))
        server.stdin.close()

    threading.Thread(target=ask).start()
    replies = server.stdout.read()
    assert replies.startswith(b"+$OK#9a"), replies[:20]
    place = 7
    equal = absent = 0
    for _, position in pages:
        end = replies.index(b"#", place)
        reply, place = replies[place + 1:end], end + 3
        if reply.startswith(b"E"):
            absent += 1
            continue
        parts = reply[1:].split(b"}")
        data = parts[0] + b"".join(bytes([part[0] ^ 32]) + part[1:] for part in parts[1:])
        assert reply[:1] == b"b" and data == core[position:position + 4096], hex(position)
        equal += 1
    print(equal, absent)
    """

  /// Dumps by entry and file, and the ELF core of the same machine.
  static let dumps = [
    ("c61-4k48-nokaslr", "vmcore.elf.zst"), ("c61-4k48-nokaslr", "vmcore.kdump-zlib"),
    ("c61-4k48-nokaslr", "vmcore.d31-snappy"), ("c612-64k52", "vmcore.elf.zst"), ("c612-64k52", "vmcore.d31-zstd"),
    ("deb73-4k52-rich", "vmcore.elf.zst"), ("c612-4k48-rich-max", "vmcore.elf.zst"),
  ]

  @Test("10,000 random pages are what the dump has, byte for byte", arguments: dumps)
  func pages(_ entry: String, _ file: String) throws {
    // The larger dumps are in the corpus alone.
    guard let entry = (DumpEntry.testData + DumpEntry.corpus).first(where: { $0.name == entry && $0.has(file) }) else {
      return
    }
    let facts = try entry.facts()
    // __phys_to_virt: PAGE_OFFSET is the lowest address of the upper half.
    let offset = (0 &- (1 << UInt64(facts.vaBits))) &- facts.physOffset
    let result = try Program.run(
      "python3 - \"$1\" \"$2\" \"$3\" \"$4\" <<'END'\n\(Self.client)\nEND",
      [Kva.path, entry.path(file), entry.path("vmcore.elf.zst"), "\(offset)"])
    let counts = result.text.split(separator: "\n").first?.split(separator: " ").compactMap { Int($0) } ?? []
    try #require(counts.count == 2, "\(result.standardError.suffix(600))")
    let isFiltered = file.contains("d31")
    // The linear map has holes: KFENCE's guard pages and others, 1949 of 131,072 pages in Debian's kernel.
    #expect(counts[0] > (isFiltered ? 1000 : 9800), "\(counts)")
  }
}
