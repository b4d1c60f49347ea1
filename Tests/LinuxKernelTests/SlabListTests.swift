import KernelVA
import TestSupport
import Testing

/// Free lists of every kind, written by hand, sound and damaged.
@Suite struct SlabListTests {
  /// A kernel around `memory`, mapped in its image and in its linear map.
  private func withKernel(
    _ memory: [UInt8], _ own: [String] = SlabMemory.lines, release: String = "6.18.0", _ body: (Kernel) throws -> Void
  ) throws {
    try Scratch.withFolder { folder in
      let base: UInt64 = 0x4000_0000
      var tables = TableWriter(.k4, .bits48, vaBits: 48, root: base + 0x1000, firstTable: base + 0x2000)
      let pages = UInt64(16 + (memory.count + 4095) / 4096)
      for page in 0..<pages {
        for start in [0xffff_8000_0800_0000, 0xffff_0000_0800_0000] as [UInt64] {
          tables.map(start + page << 12, to: base + page << 12, attributes: 0x60_0000_0000_0700)
        }
      }
      var ram = [UInt8](repeating: 0, count: 0x10000) + memory
      for (address, word) in tables.words {
        let at = Int(address - base)
        ram.replaceSubrange(at..<(at + 8), with: [UInt8](little: word))
      }
      let lines =
        [
          "OSRELEASE=\(release)", "PAGESIZE=4096", "SYMBOL(swapper_pg_dir)=ffff800008001000",
          "SYMBOL(_stext)=ffff800008000000", "NUMBER(VA_BITS)=48", "NUMBER(TCR_EL1_T1SZ)=0x10",
          "NUMBER(kimage_voffset)=0xffff7fffc8000000", "KERNELOFFSET=0", "SIZE(page)=64",
        ] + own
      let core = CoreWriter(notes: CoreWriter.vmcoreinfo(lines.joined(separator: "\n")), [.init(base, ram)])
      let path = folder.appendingPathComponent("vmcore").path
      try core.write(to: path)
      try body(Kernel(in: DumpFile(path: path)))
    }
  }

  /// What is said of each object of the slab at `page`: where it waits, or nil; and whether it is allocated.
  private func states(_ kernel: Kernel, _ page: UInt64) throws -> [(list: FreeList?, isAllocated: Bool?)] {
    try (0..<UInt64(16)).map { index in
      let address = SlabMemory.object(page, index)
      let identity = kernel.identify("0x" + String(address + 7, radix: 16))
      let slab = try #require(identity.slab, "\(index): \(identity.kind) \(identity.notes)")
      #expect(slab.address == address && slab.index == Int(index) && slab.offset == 7 && slab.part == .object)
      return (slab.freeList, slab.isAllocated)
    }
  }

  private func check(_ kernel: Kernel, _ page: UInt64, _ free: [(indices: [UInt64], list: FreeList)]) throws {
    for (index, state) in try states(kernel, page).enumerated() {
      let wanted = free.first { $0.indices.contains(UInt64(index)) }?.list
      #expect(state.list == wanted, "\(index)")
      #expect(state.isAllocated == (wanted == nil), "\(index)")
    }
  }

  @Test(
    "Objects on each list are free, and no others; pointers hidden as since 5.7, and before", arguments: [false, true])
  func sound(_ isOld: Bool) throws {
    try withKernel(SlabMemory.memory(isOld: isOld)) { kernel in
      try check(kernel, 0x3000, [(SlabMemory.freeOnNode, .slab)])
      try check(
        kernel, 0x4000,
        [
          (SlabMemory.freeOnSlab, .slab), (SlabMemory.freeOnCPU, .cpu(0)), (SlabMemory.inSheaf, .sheaf(0)),
          (SlabMemory.inBarn, .barn),
        ])
      let caches = kernel.slabCaches
      #expect(caches.notes.isEmpty, "\(caches.notes)")
      let summary = try #require(caches.elements.first)
      #expect(summary.cache.name == "fuzzed" && caches.elements.count == 1)
      // Of 32 objects 3 are free on the node's slab, and 6 on the CPU and in sheaves.
      #expect(summary.counts.objects == 32 && summary.counts.active == 29)
      let allocated = try #require(summary.counts.allocated)
      #expect(allocated == 23)
    }
  }

  /// By drgn's rule, whose objects reach from the start of one to the start of the next.
  @Test("An object reaches to the next one, whose red zone is between them", arguments: [0, 2] as [UInt64])
  func parts(_ index: UInt64) throws {
    try withKernel(SlabMemory.memory()) { kernel in
      let object = SlabMemory.object(0x3000, index)
      for (distance, part) in [
        (0, "object"), (63, "object"), (64, "red zone"), (72, "padding"), (239, "padding"), (240, "red zone"),
        (255, "red zone"),
      ] {
        let slab = try #require(kernel.identify("0x" + String(object + UInt64(distance), radix: 16)).slab)
        #expect(slab.part.rawValue == part && slab.offset == distance && slab.address == object, "\(distance)")
        #expect(slab.index == Int(index))
      }
    }
  }

  @Test("The red zone before the first object is its own")
  func firstRedZone() throws {
    try withKernel(SlabMemory.memory()) { kernel in
      let object = SlabMemory.object(0x3000, 0)
      let slab = try #require(kernel.identify("0x" + String(object - 16, radix: 16)).slab)
      #expect(slab.part == .redZone && slab.offset == -16 && slab.address == object && slab.index == 0)
    }
  }

  @Test("An object has the cgroup that it is charged to, and who allocated it by KASAN")
  func charges() throws {
    try withKernel(SlabMemory.memory(hasCharges: true), SlabMemory.chargedLines) { kernel in
      for index in 0..<UInt64(16) {
        let slab = try #require(kernel.identify("0x" + String(SlabMemory.object(0x3000, index), radix: 16)).slab)
        let isCharged = index == SlabMemory.charged
        #expect(slab.cgroup == (isCharged ? SlabMemory.cgroup : nil), "\(index)")
        #expect(slab.tracks.map(\.pid) == (isCharged ? [SlabMemory.track.pid] : []), "\(index)")
        #expect(slab.tracks.first?.frames ?? [] == (isCharged ? SlabMemory.track.frames : []), "\(index)")
      }
    }
  }

  @Test("Of KASAN's ring an object has the newest alloc, and the free behind it")
  func ring() throws {
    try withKernel(SlabMemory.memory(hasCharges: true, hasRing: true), SlabMemory.ringLines) { kernel in
      let tracks = try [2, 8, 7].map { index in
        try #require(kernel.identify("0x" + String(SlabMemory.object(0x3000, index), radix: 16)).slab).tracks
      }
      #expect(tracks.map { $0.map(\.pid) } == [[9], [4, 5], []])
      #expect(tracks.map { $0.map(\.kind) } == [[.alloc], [.alloc, .free], []])
      #expect(tracks[1].allSatisfy { $0.frames == SlabMemory.track.frames })
    }
  }

  @Test("Objects of SLAB are free by the array of their slab, of a CPU, and of nodes")
  func arrays() throws {
    try withKernel(SlabArrayMemory.memory(), SlabArrayMemory.lines, release: "6.1.0") { kernel in
      for index in 0..<SlabArrayMemory.count {
        let address = SlabArrayMemory.object(index)
        let identity = kernel.identify("0x" + String(address + 100, radix: 16))
        let slab = try #require(identity.slab, "\(index): \(identity.kind) \(identity.notes)")
        #expect(slab.cache.name == "arrays" && slab.size == 180)
        #expect(slab.address == address && slab.index == Int(index) && slab.offset == 100 && slab.part == .object)
        let wanted: FreeList? =
          switch index {
          case SlabArrayMemory.onCPU: .cpu(0)
          case SlabArrayMemory.shared, SlabArrayMemory.alien: .node
          default: SlabArrayMemory.freeInSlab.contains(index) ? .slab : nil
          }
        #expect(slab.freeList == wanted && slab.isAllocated == (wanted == nil), "\(index)")
      }
      let caches = kernel.slabCaches
      #expect(caches.notes.isEmpty, "\(caches.notes)")
      let counts = try #require(caches.elements.first?.counts)
      #expect(counts.slabs == 1 && counts.objects == 20 && counts.active == 17)
      let allocated = try #require(counts.allocated)
      #expect(allocated == 14)
      let cache = try #require(caches.elements.first?.cache)
      var listed = 0
      _ = kernel.forEachSlabObject(of: cache) { object in
        listed += object.isAllocated == true ? 1 : 0
        return true
      }
      #expect(listed == 14)
      // What SLAB put before the first object belongs to none.
      let before = try #require(kernel.identify("0x" + String(SlabArrayMemory.object(0) - 8, radix: 16)).slab)
      #expect(before.address == nil && before.part == .remainder)
    }
  }

  /// Sets the byte at `address` of the linear map.
  private func set(_ value: UInt8, at address: UInt64, in memory: inout [UInt8]) {
    memory[Int(address - SlabMemory.linear)] = value
  }

  private func damage(_ kernel: Kernel, _ address: UInt64) throws -> [SlabDamage] {
    try #require(kernel.identify("0x" + String(address, radix: 16)).slab).damage
  }

  private func expectSound(_ kernel: Kernel, _ address: UInt64) throws {
    let found = try damage(kernel, address)
    #expect(found.isEmpty, "\(found)")
  }

  @Test("What kmalloc gives beyond what was asked for is a red zone of what is allocated, since 6.2")
  func kmallocRedZone() throws {
    let known = SlabMemory.lines + ["SYMBOL(skip_orig_size_check)=ffff800008000100"]
    // 5 is allocated and 9 free in the first slab.
    for (index, offset) in [(5, 40), (5, 63), (9, 50)] as [(UInt64, UInt64)] {
      var memory = SlabMemory.memory(isChecked: true)
      let object = SlabMemory.object(0x3000, index)
      try withKernel(memory, known) { kernel in
        for sound in 0..<16 as Range<UInt64> { try expectSound(kernel, SlabMemory.object(0x3000, sound)) }
        for sound in 0..<16 as Range<UInt64> { try expectSound(kernel, SlabMemory.object(0x4000, sound)) }
      }
      set(0x41, at: object + offset, in: &memory)
      try withKernel(memory, known) { kernel in
        let found = try damage(kernel, object)
        guard index == 5 else { return #expect(found.isEmpty) }
        try #require(found.count == 1)
        #expect(found[0].kind == .kmallocRedZone && found[0].found == [0x41])
        let (range, expected) = (found[0].range, found[0].expected ?? 0)
        #expect(range == (object + offset)..<(object + offset + 1) && expected == 0xcc)
      }
      // Until 6.1 the bytes behind are the owner's.
      try withKernel(memory, release: "6.1.0") { kernel in try expectSound(kernel, object) }
    }
    // An overrun goes on into the right red zone.
    var memory = SlabMemory.memory(isChecked: true)
    for offset in 40..<66 as Range<UInt64> { set(0x42, at: SlabMemory.object(0x3000, 5) + offset, in: &memory) }
    try withKernel(memory, known) { kernel in
      let kinds = try damage(kernel, SlabMemory.object(0x3000, 5)).map(\.kind)
      #expect(kinds == [.rightRedZone, .kmallocRedZone])
    }
  }

  @Test("What SLAB fills objects with, and what was written over")
  func arrayDamage() throws {
    let pad = SlabArrayMemory.pad
    // 3 is allocated; 7 is free in the slab, 4 on a CPU and 11 on a node.
    try withKernel(SlabArrayMemory.memory(isChecked: true), SlabArrayMemory.lines, release: "6.1.0") { kernel in
      for index in 0..<SlabArrayMemory.count {
        let slab = try #require(kernel.identify("0x" + String(SlabArrayMemory.object(index) + pad, radix: 16)).slab)
        let isFree = SlabArrayMemory.freeInSlab.contains(index) || [4, 11, 12].contains(index)
        #expect(slab.address == SlabArrayMemory.object(index) + pad && slab.offset == 0 && slab.size == 140)
        #expect(slab.isAllocated == !isFree && slab.damage.isEmpty, "\(index): \(slab.damage)")
      }
    }
    let (free, active) = SlabArrayMemory.redZones
    for (index, offset, kind, expected) in [
      (3, 8, .leftRedZone, active), (3, 15, .leftRedZone, active), (3, 176, .rightRedZone, active),
      (7, 9, .leftRedZone, free), (4, 183, .rightRedZone, free), (11, 16, .poison, 0x6b), (7, 155, .poison, 0xa5),
    ] as [(UInt64, UInt64, SlabDamage.Kind, UInt64)] {
      var memory = SlabArrayMemory.memory(isChecked: true)
      let place = SlabArrayMemory.object(index) + offset
      set(0x41, at: place, in: &memory)
      try withKernel(memory, SlabArrayMemory.lines, release: "6.1.0") { kernel in
        let found = try damage(kernel, SlabArrayMemory.object(index) + pad)
        try #require(found.count == 1, "\(index) \(offset): \(found)")
        let (range, filling) = (found[0].range, found[0].expected ?? 0)
        #expect(found[0].kind == kind && found[0].found == [0x41], "\(index) \(offset)")
        #expect(range == place..<(place + 1) && filling == expected, "\(index) \(offset)")
      }
    }
    // The owner's bytes, what is before the red zone, and the caller's address are nobody's business.
    for offset in [0, 16, 150, 160, 190] as [UInt64] {
      var memory = SlabArrayMemory.memory(isChecked: true)
      set(0x41, at: SlabArrayMemory.object(3) + offset, in: &memory)
      try withKernel(memory, SlabArrayMemory.lines, release: "6.1.0") { kernel in
        try expectSound(kernel, SlabArrayMemory.object(3) + pad)
      }
    }
  }

  @Test("A number that no object of the slab has is damage")
  func damagedArray() throws {
    var memory = SlabArrayMemory.memory()
    memory[0x2c00 + 18] = 20
    try withKernel(memory, SlabArrayMemory.lines, release: "6.1.0") { kernel in
      let free = try #require(kernel.identify("0x" + String(SlabArrayMemory.object(7), radix: 16)).slab)
      #expect(free.isAllocated == false)
      let other = try #require(kernel.identify("0x" + String(SlabArrayMemory.object(2), radix: 16)).slab)
      #expect(other.isAllocated == nil && other.problem?.contains("has object 20") == true)
    }
  }

  /// What is done to the free pointer of the second object on the node's list.
  enum Damage: String, CaseIterable {
    case foreign, circle, short
  }

  @Test("What a damaged list does not show is unknown, and the damage is told", arguments: Damage.allCases)
  func damaged(_ damage: Damage) throws {
    var memory = SlabMemory.memory()
    let place = SlabMemory.object(0x3000, SlabMemory.freeOnNode[1]) + 64
    let next: UInt64 =
      switch damage {
      case .foreign: 0xffff_0000_0801_0008
      case .circle: SlabMemory.object(0x3000, SlabMemory.freeOnNode[0])
      case .short: 0
      }
    let at = Int(place - SlabMemory.linear)
    memory.replaceSubrange(at..<(at + 8), with: [UInt8](little: next ^ SlabMemory.random ^ place.byteSwapped))
    try withKernel(memory) { kernel in
      for (index, state) in try states(kernel, 0x3000).enumerated() {
        let isFree = SlabMemory.freeOnNode.prefix(2).contains(UInt64(index))
        #expect(state.isAllocated == (isFree ? false : nil), "\(index)")
      }
      // The other slab is sound.
      try check(
        kernel, 0x4000,
        [
          (SlabMemory.freeOnSlab, .slab), (SlabMemory.freeOnCPU, .cpu(0)), (SlabMemory.inSheaf, .sheaf(0)),
          (SlabMemory.inBarn, .barn),
        ])
      let caches = kernel.slabCaches
      #expect(caches.elements.first?.counts.allocated == nil)
      #expect(caches.notes.count == 1 && caches.notes[0].text.contains("is damaged"), "\(caches.notes)")
    }
  }
}
