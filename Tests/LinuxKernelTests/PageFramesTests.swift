import KernelVA
import TestSupport
import Testing

/// What `struct page` says of frames: each type, in the encoding of each era.
/// (include/linux/page-flags.h; object facts 4.2 and 4.4)
@Suite struct PageFramesTests {
  /// Where the handmade kernel keeps the `struct page` of RAM's first frame, 64 bytes each: virtual and physical.
  private static let pages: (virtual: UInt64, physical: UInt64) = (AuditedKernel.vmemmap, 0x4030_0000)
  private static let firstFrame: UInt64 = 0x40000

  /// How a kernel writes the type of a page, where `_mapcount` is.
  enum Era: String, CaseIterable {
    /// A bit that is clear, others set: buddy 0x80, offline 0x100. (4.18 to 6.10)
    case bits = "6.1.0"
    /// A number in the top byte: buddy 0xf0, offline 0xf1, hugetlb 0xf4, slab 0xf5. (6.12)
    case numbers = "6.12.0"

    /// What VMCOREINFO has, in decimal as the kernel prints it.
    var lines: [String] {
      switch self {
      case .bits:
        ["NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129", "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257", "NUMBER(PG_slab)=9"]
      case .numbers:
        [
          "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456", "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240",
          "NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592", "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376",
        ]
      }
    }

    /// The word of a page of type `name`; nil where the era has none.
    func type(_ name: String) -> UInt64? {
      switch (self, name) {
      case (.bits, "free"): 0xffff_ff7f
      case (.bits, "offline"): 0xffff_feff
      // The low 24 bits are the count that the type leaves room for.
      case (.numbers, "free"): 0xf000_0000
      case (.numbers, "offline"): 0xf1ff_ffff
      case (.numbers, "hugetlb"): 0xf400_0001
      case (.numbers, "slab"): 0xf500_0123
      default: nil
      }
    }
  }

  private func withKernel(
    _ era: Era, _ change: (inout AuditedKernel) -> Void, _ body: (Kernel) throws -> Void
  ) throws {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      kernel.vmcoreinfo.removeAll { $0.hasPrefix("NUMBER(PAGE_BUDDY") }
      kernel.vmcoreinfo[0] = "OSRELEASE=\(era.rawValue)"
      kernel.vmcoreinfo += era.lines + ["OFFSET(page.flags)=0", "OFFSET(page.compound_head)=8"]
      change(&kernel)
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      try body(Kernel(in: DumpFile(path: path)))
    }
  }

  /// What is said of the frame number `frame` of RAM, asked by its linear address.
  private func state(_ kernel: Kernel, _ frame: UInt64) -> FrameState? {
    kernel.identify("0x" + String(AuditedKernel.linear + frame << 12 + 0x123, radix: 16)).frame
  }

  /// What a frame is said to be used for: "offline" by its owner, nil of a use that is not told.
  private func use(_ kernel: Kernel, _ frame: UInt64) -> String? {
    guard let state = state(kernel, frame) else { return nil }
    return state.use == .other ? state.owner : state.use?.rawValue
  }

  private static func word(_ frame: UInt64, _ offset: UInt64) -> UInt64 { pages.physical + frame * 64 + offset }

  @Test("A frame and its struct page lead to each other", arguments: [0, 1, 0x7f, 0x200, 0x3ff] as [UInt64])
  func places(frame: UInt64) throws {
    try withKernel(.bits) { _ in
    } _: { kernel in
      let state = try #require(self.state(kernel, frame))
      #expect(state.frame == Self.firstFrame + frame)
      #expect(state.structure == Self.pages.virtual + frame * 64)
      for offset in [0, 8, 63] as [UInt64] {
        let page = "0x" + String(Self.pages.virtual + frame * 64 + offset, radix: 16)
        let described = try #require(kernel.identify(page).describedFrame)
        #expect(described.frame == Self.firstFrame + frame && described.structure == state.structure)
      }
      #expect(state.use == nil || state.use == .other)
    }
  }

  @Test("Each type of page", arguments: Era.allCases, ["free", "offline", "hugetlb", "slab"])
  func types(_ era: Era, _ name: String) throws {
    try withKernel(era) { kernel in
      if let type = era.type(name) { kernel.memory[Self.word(0x240, 48)] = type }
    } _: { kernel in
      #expect(use(kernel, 0x240) == (era.type(name) == nil ? nil : name == "hugetlb" ? "huge" : name))
      #expect(use(kernel, 0x23f) == nil && use(kernel, 0x241) == nil)
    }
  }

  @Test("_mapcount of a mapped page is no type", arguments: Era.allCases)
  func counts(_ era: Era) throws {
    // -1, 0, 1, 126, 128: mapped by none, one, two, 127 and 129; and a count that underflowed.
    let counts: [UInt64] = [0xffff_ffff, 0, 1, 0x7e, 0x80, 0x7fff_ffff, 0x8000_0000]
    try withKernel(era) { kernel in
      for (number, count) in counts.enumerated() { kernel.memory[Self.word(0x240 + UInt64(number), 48)] = count }
    } _: { kernel in
      for number in counts.indices { #expect(use(kernel, 0x240 + UInt64(number)) == nil, "\(counts[number])") }
    }
  }

  @Test("The first page of a free block speaks for all of it, and for no more", arguments: Era.allCases)
  func blocks(_ era: Era) throws {
    try withKernel(era) { kernel in
      // Blocks of 8 pages at 0x240, of 1 at 0x250; a head with an order that none has.
      for (head, order) in [(0x240, 3), (0x250, 0), (0x260, 77)] as [(UInt64, UInt64)] {
        kernel.memory[Self.word(head, 48)] = era.type("free")
        kernel.memory[Self.word(head, 40)] = order
      }
    } _: { kernel in
      for frame in UInt64(0x238)..<0x270 {
        let isFree = (0x240..<0x248).contains(frame) || frame == 0x250
        #expect(use(kernel, frame) == (isFree ? "free" : nil), "\(frame)")
      }
    }
  }

  @Test("A slab of several pages: the tails point at the head", arguments: Era.allCases)
  func compound(_ era: Era) throws {
    try withKernel(era) { kernel in
      // PG_slab is bit 9 of flags up to 6.9.
      if era == .bits { kernel.memory[Self.word(0x240, 0)] = 1 << 9 }
      if era == .numbers { kernel.memory[Self.word(0x240, 48)] = era.type("slab") }
      for tail in UInt64(0x241)..<0x244 {
        kernel.memory[Self.word(tail, 8)] = Self.pages.virtual + 0x240 * 64 + 1
      }
      // Bit 0 clear: a list, not a head.
      kernel.memory[Self.word(0x244, 8)] = Self.pages.virtual + 0x240 * 64
      // Other flags.
      kernel.memory[Self.word(0x245, 0)] = ~(1 << 9)
    } _: { kernel in
      for frame in UInt64(0x240)..<0x244 { #expect(use(kernel, frame) == "slab", "\(frame)") }
      #expect(use(kernel, 0x244) == nil && use(kernel, 0x245) == nil && use(kernel, 0x23f) == nil)
    }
  }
}
