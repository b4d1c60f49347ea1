import KernelVA
import Testing

/// The lines of VMCOREINFO as kernels write them, and as broken notes have them.
@Suite struct VMCoreInfoTests {
  static func info(_ text: String) -> VMCoreInfo { VMCoreInfo(Array(text.utf8)) }

  static let kernel = info(
    """
    OSRELEASE=6.1.0-18-cloud-arm64
    BUILD-ID=9a3f5c0e77d1b4c2a8e6f0123456789abcdef012
    PAGESIZE=4096
    SYMBOL(init_uts_ns)=ffffb7ea12345678
    SYMBOL(mem_section)=ffff0000fffe6000
    LENGTH(mem_section)=1024
    SIZE(list_head)=16
    OFFSET(list_head.next)=0
    OFFSET(page.lru)=8
    NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129
    NUMBER(VA_BITS)=48
    NUMBER(kimage_voffset)=0xffffb7e9cf400000
    NUMBER(PHYS_OFFSET)=0xfff0b22600000000
    NUMBER(TCR_EL1_T1SZ)=0x10
    KERNELOFFSET=37ea09a00000
    NUMBER(KERNELPACMASK)=0x0
    CRASHTIME=1712345678

    """)

  @Test func textsAreTakenAsTheyStand() {
    #expect(Self.kernel.release == "6.1.0-18-cloud-arm64")
    #expect(Self.kernel.buildID == "9a3f5c0e77d1b4c2a8e6f0123456789abcdef012")
    #expect(Self.kernel.value("NUMBER(VA_BITS)") == "48")
  }

  @Test func numbersAreHexWith0xOrSignedDecimal() {
    #expect(Self.kernel.number("PAGE_BUDDY_MAPCOUNT_VALUE") == 0xffff_ffff_ffff_ff7f)
    #expect(Self.kernel.number("VA_BITS") == 48)
    #expect(Self.kernel.number("kimage_voffset") == 0xffff_b7e9_cf40_0000)
    #expect(Self.kernel.number("PHYS_OFFSET") == 0xfff0_b226_0000_0000)
    #expect(Self.kernel.number("TCR_EL1_T1SZ") == 16)
    #expect(Self.kernel.number("KERNELPACMASK") == 0)
    let wide = Self.info("NUMBER(a)=18446744073709551615\nNUMBER(b)=-9223372036854775808\nNUMBER(c)=10\n")
    #expect(wide.number("a") == .max)
    #expect(wide.number("b") == 1 << 63)
    #expect(wide.number("c") == 10)
  }

  @Test func symbolsAndKernelOffsetAreHexWithout0x() {
    #expect(Self.kernel.symbol("init_uts_ns") == 0xffff_b7ea_1234_5678)
    #expect(Self.kernel.kernelOffset == 0x37ea_09a0_0000)
    // Digits alone are hex here, and decimal in the lines below.
    let digits = Self.info("KERNELOFFSET=100000\nSYMBOL(x)=80000000000010\nSIZE(x)=10\nLENGTH(x)=10\nOFFSET(x.y)=10\n")
    #expect(digits.kernelOffset == 0x10_0000)
    #expect(digits.symbol("x") == 0x80_0000_0000_0010)
    #expect(digits.size("x") == 10)
    #expect(digits.length("x") == 10)
    #expect(digits.offset("x.y") == 10)
  }

  @Test func sizesAndTimesAreDecimal() {
    #expect(Self.kernel.pageSize == 4096)
    #expect(Self.kernel.length("mem_section") == 1024)
    #expect(Self.kernel.size("list_head") == 16)
    #expect(Self.kernel.offset("list_head.next") == 0)
    #expect(Self.kernel.offset("page.lru") == 8)
    #expect(Self.kernel.crashTime == 1_712_345_678)
  }

  @Test func allSymbolsAreListedInOrder() {
    #expect(Self.kernel.symbols.map(\.name) == ["init_uts_ns", "mem_section"])
    #expect(Self.kernel.symbols.map(\.value) == [0xffff_b7ea_1234_5678, 0xffff_0000_fffe_6000])
    let broken = Self.info("SYMBOL(a)=xyz\nSYMBOL(b=1\nSYMBOL()=2\nXSYMBOL(c)=3\nSYMBOL(d)=ffff000000000004\n")
    #expect(broken.symbols.filter { $0.name == "d" }.map(\.value) == [0xffff_0000_0000_0004])
    #expect(!broken.symbols.contains { ["a", "b", "c"].contains($0.name) })
  }

  @Test func linesThatNoKernelWritesAreLeftOut() {
    let sound = [
      "SYMBOL(_stext)": "ffffb7ea09a10000", "SYMBOL(swapper_pg_dir)": "ffffb7ea0b2fe000",
      "SYMBOL(prb)": "ffffb7ea0b5a1b04", "NUMBER(VMALLOC_END)": "0xfffffdffbf800000", "KERNELOFFSET": "37ea09a00000",
      "SIZE(page)": "64",
    ]
    // 5.10 and earlier may have _stext where the alignment of the vectors puts it.
    for text in ["ffff000010080800", "ffff800010081000", "ffff80000a010000"] {
      #expect(Self.info("SYMBOL(_stext)=\(text)\n").symbol("_stext") == UInt64(text, radix: 16))
    }
    for (key, value) in sound { #expect(Self.info("\(key)=\(value)\n").value(key) == value) }
    let broken = [
      ("PAGESIZE", ["0", "8192", "4095", "-4096"]), ("NUMBER(VA_BITS)", ["-1", "0", "40", "64"]),
      (
        "SYMBOL(_stext)",
        ["ffffb7ea09a10001", "ffffb7ea09a10400", "ffffb7ea09a10004", "0", "1", "ffffffffffffffff", "xyz"]
      ),
      ("SYMBOL(swapper_pg_dir)", ["ffffb7ea0b2fe008", "40001000"]), ("SYMBOL(prb)", ["ffffb7ea0b5a1b05", "40001000"]),
      ("NUMBER(VMALLOC_END)", ["0xfffffdffbf800001", "0x0", "-1", "0xffffffffffffffff"]),
      ("KERNELOFFSET", ["37ea09a00001", "ffffffffffffffff"]), ("SIZE(page)", ["0", "1", "65", "-1", "4294967295"]),
    ]
    for (key, values) in broken {
      for value in values { #expect(Self.info("\(key)=\(value)\n").value(key) == nil, "\(key)=\(value)") }
    }
    #expect(Self.info("SYMBOL(a)=1\nSYMBOL(a)=ffff000000000008\n").symbol("a") == 0xffff_0000_0000_0008)
  }

  @Test func absentIsNotZero() {
    #expect(Self.kernel.number("nothing") == nil)
    #expect(Self.kernel.symbol("nothing") == nil)
    #expect(Self.kernel.size("nothing") == nil)
    let empty = Self.info("")
    #expect(empty.release == nil && empty.kernelOffset == nil && empty.crashTime == nil)
    #expect(empty.symbols.isEmpty)
    // A key is whole: neither its beginning nor its end is enough.
    let similar = Self.info("NUMBER(VA_BITS_MIN)=1\nXNUMBER(VA_BITS)=2\nNUMBER(VA_BITS)X=3\n")
    #expect(similar.number("VA_BITS") == nil)
  }

  @Test func unreadableValueIsAbsent() {
    let info = Self.info(
      """
      NUMBER(a)=
      NUMBER(b)=0x
      NUMBER(c)=0xfffffffffffffffff
      NUMBER(d)=12a
      NUMBER(e)= 12
      SYMBOL(f)=
      SYMBOL(g)=not hex
      SIZE(h)=0x10
      PAGESIZE=-4096
      CRASHTIME=soon

      """)
    for name in ["a", "b", "c", "d", "e"] { #expect(info.number(name) == nil, "\(name)") }
    #expect(info.symbol("f") == nil && info.symbol("g") == nil && info.size("h") == nil)
    #expect(info.pageSize == nil && info.crashTime == nil)
  }

  @Test func lastLineNeedsNoNewline() {
    #expect(Self.info("OSRELEASE=5.10.0\nCRASHTIME=12").crashTime == 12)
    #expect(Self.info("CRASHTIME=12").crashTime == 12)
  }

  @Test func textEndsAtItsFirstNUL() {
    let info = Self.info("OSRELEASE=5.10.0\nPAGESIZE=16384\0SIZE(page)=64\nCRASHTIME=12\n")
    #expect(info.release == "5.10.0")
    #expect(info.pageSize == 16384)
    #expect(info.size("page") == nil)
    #expect(info.crashTime == nil)
    #expect(Self.info("\0OSRELEASE=5.10.0\n").release == nil)
  }

  @Test func linesWithoutEqualsAreSkipped() {
    let info = Self.info("garbage\n\nOSRELEASE=6.1\nOSRELEASE\n=\n=x\nPAGESIZE=4096\n")
    #expect(info.release == "6.1")
    #expect(info.pageSize == 4096)
  }

  @Test func valueMayHoldEquals() {
    #expect(Self.info("OSRELEASE=6.1-a=b\n").release == "6.1-a=b")
  }

  @Test func whatIsAppendedLaterWins() {
    let info = Self.info("CRASHTIME=1\nOSRELEASE=6.1\nCRASHTIME=2\n")
    #expect(info.crashTime == 2)
  }

  /// A kernel's note is one page, of 64 KiB at most.
  @Test func textBeyondTheLongestNoteIsNotRead() {
    let filler = String(repeating: "SIZE(filler)=1\n", count: 5000)
    #expect(filler.utf8.count > 64 << 10)
    let info = Self.info("OSRELEASE=6.1\n" + filler + "PAGESIZE=4096\n")
    #expect(info.release == "6.1")
    #expect(info.pageSize == nil)
    let line = Self.info("OSRELEASE=" + String(repeating: "9", count: 1 << 20) + "\nPAGESIZE=4096\n")
    #expect(line.pageSize == nil)
    #expect((line.release?.utf8.count ?? 0) <= 64 << 10)
  }

  @Test func bytesThatAreNoTextAreReadAllTheSame() {
    let info = VMCoreInfo(Array("OSRELEASE=6.1\nPAGESIZE=4096\n".utf8) + [0xff, 0xfe, 0x3d, 0x80, 0x0a])
    #expect(info.release == "6.1")
    #expect(info.pageSize == 4096)
  }

  @Test func sizesAndOffsetsThatNoStructureHasAreNone() {
    let info = Self.info(
      "SIZE(a)=-1\nOFFSET(a.b)=-8\nLENGTH(c)=-2\nSIZE(d)=9223372036854775807\nOFFSET(d.e)=4294967297\n")
    #expect(info.size("a") == nil && info.offset("a.b") == nil && info.length("c") == nil)
    #expect(info.size("d") == nil && info.offset("d.e") == nil)
    #expect(Self.info("SIZE(a)=4294967296\n").size("a") == 1 << 32)
  }
}
