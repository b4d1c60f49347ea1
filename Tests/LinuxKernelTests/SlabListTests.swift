import KernelVA
import TestSupport
import Testing

/// Free lists of every kind, written by hand, sound and damaged.
@Suite struct SlabListTests {
  /// A kernel around `memory`, mapped in its image and in its linear map.
  private func withKernel(_ memory: [UInt8], _ body: (Kernel) throws -> Void) throws {
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
          "OSRELEASE=6.18.0", "PAGESIZE=4096", "SYMBOL(swapper_pg_dir)=ffff800008001000",
          "SYMBOL(_stext)=ffff800008000000", "NUMBER(VA_BITS)=48", "NUMBER(TCR_EL1_T1SZ)=0x10",
          "NUMBER(kimage_voffset)=0xffff7fffc8000000", "KERNELOFFSET=0", "SIZE(page)=64",
        ] + SlabMemory.lines
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

  @Test("Before an object is its red zone, behind it padding")
  func parts() throws {
    try withKernel(SlabMemory.memory()) { kernel in
      let object = SlabMemory.object(0x3000, 2)
      for (distance, part) in [(-1, "red zone"), (0, "object"), (63, "object"), (64, "red zone"), (72, "padding")] {
        let address = object &+ UInt64(bitPattern: Int64(distance))
        let slab = try #require(kernel.identify("0x" + String(address, radix: 16)).slab)
        #expect(slab.part.rawValue == part && slab.offset == distance && slab.address == object, "\(distance)")
      }
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
