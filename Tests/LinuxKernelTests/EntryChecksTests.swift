import KernelVA
import TestSupport
import Testing

/// What is doubted: each bit of an entry of the kernel's half by itself, against what Linux and the Arm manual leave
/// no choice in. (arm64 facts 1.4, arch/arm64/include/asm/pgtable-prot.h)
@Suite struct EntryChecksTests {
  /// Whether the answer for `address` is doubted, for each change of the kernel's tables.
  private func resolution(_ address: UInt64, _ change: (inout AuditedKernel) -> Void) throws -> Resolution {
    try Scratch.withFolder { folder in
      var kernel = AuditedKernel()
      change(&kernel)
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.write(to: path)
      return try Kernel(in: DumpFile(path: path)).resolve(VirtualAddress(address))
    }
  }

  @Test("Each bit of a page's entry that is not its address")
  func leafBits() throws {
    // AF, SH and UXN are set in every mapping of the kernel; NS, AP[1] (EL0 may read it), bits 49:48, which 48-bit
    // addresses do not have, and bit 63 in none. AttrIndx, AP[2], nG, GP, DBM, Contiguous, PXN, the software bits
    // and 62:59 are free.
    let never: Set = [5, 6, 48, 49, 63]
    let always: Set = [8, 9, 10, 54]
    for bit in Array(2...11) + Array(48...63) {
      let answer = try resolution(AuditedKernel.vmalloc) { $0.change(AuditedKernel.vmalloc) { $0 ^ 1 << UInt64(bit) } }
      #expect(answer.status == .mapped)
      #expect(
        (answer.doubt != nil) == (never.contains(bit) || always.contains(bit)),
        "bit \(bit): \(answer.doubt?.text ?? "")")
    }
  }

  @Test("An invalid entry keeps the rest (set_memory_valid), or is zero; else it is doubted")
  func invalid() throws {
    for (entry, isDoubted) in [
      (0x0060_0000_4020_0702, false), (0, false), (0x0060_0000_4020_0302, true), (0x0020_0000_4020_0702, true),
      (0x1234_5678_9abc_def0, true), (2, true), (.max - 1, true),
    ] as [(UInt64, Bool)] {
      let answer = try resolution(AuditedKernel.vmalloc) { $0.change(AuditedKernel.vmalloc) { _ in entry } }
      #expect(answer.status == .unmapped)
      #expect((answer.doubt != nil) == isDoubted, "\(String(entry, radix: 16)): \(answer.doubt?.text ?? "")")
    }
  }

  @Test("Each bit of a table's entry, at each level", arguments: 0...2)
  func tableBits(level: Int) throws {
    // The address is 47:12. Linux sets 1:0, PXNTable (59), UXNTable (60) and AF (10, 6.14); it leaves 63:61 alone,
    // which are attributes all the same.
    let allowed: Set = [10, 59, 60]
    for bit in Array(2...11) + Array(48...60) {
      let answer = try resolution(AuditedKernel.vmalloc) {
        $0.change(AuditedKernel.vmalloc, level: level) { $0 ^ 1 << UInt64(bit) }
      }
      #expect(answer.status == .mapped)
      #expect((answer.doubt != nil) == !allowed.contains(bit), "bit \(bit): \(answer.doubt?.text ?? "")")
    }
  }

  @Test("An entry beside it that no kernel writes tells of a table that was overwritten")
  func neighbours() throws {
    // The page of vmalloc has index 0 in its table, so that 1 and 2 are the two that are looked at; 2 is the device.
    for (index, isDoubted) in [(1, true), (2, true), (100, false)] as [(UInt64, Bool)] {
      for garbage in [0x1234_5678_9abc_def0, 0x0060_0000_4020_0303, 1, .max - 1] as [UInt64] {
        let answer = try resolution(AuditedKernel.vmalloc) {
          $0.change(AuditedKernel.vmalloc + index << 12) { _ in garbage }
        }
        #expect(answer.status == .mapped)
        #expect((answer.doubt != nil) == isDoubted, "\(index) \(String(garbage, radix: 16))")
      }
    }
  }

  @Test(
    "The linear map and the image lead where arithmetic has them",
    arguments: [AuditedKernel.linear, AuditedKernel.text])
  func arithmetic(base: UInt64) throws {
    let address = base + 0x2_5000
    let sound = try resolution(address) { _ in }
    #expect(sound.physical == PhysicalAddress(0x4002_5000) && sound.doubt == nil)
    for bit in UInt64(12)..<22 {
      let answer = try resolution(address) { $0.change(address) { $0 ^ 1 << bit } }
      #expect(answer.physical == PhysicalAddress(0x4002_5000 ^ 1 << bit) && answer.doubt != nil, "bit \(bit)")
    }
    // vmalloc may lead anywhere in RAM.
    let page = try resolution(AuditedKernel.vmalloc) { $0.change(AuditedKernel.vmalloc) { $0 ^ 1 << 13 } }
    #expect(page.physical == PhysicalAddress(0x4020_2000) && page.doubt == nil)
  }

  @Test("Cached memory where there is no RAM; a device may be there")
  func outsideRAM() throws {
    // RAM is 40000000 to 403fffff.
    for (physical, type, isDoubted) in [
      (0x403f_f000, 0, false), (0x4040_0000, 0, true), (0x8000_0000, 0, true),
      (0x8000_0000, AuditedKernel.deviceType, false),
      (0x0900_0000, AuditedKernel.deviceType, false),
    ] as [(UInt64, UInt64, Bool)] {
      let answer = try resolution(AuditedKernel.vmalloc) {
        $0.change(AuditedKernel.vmalloc) { _ in physical | AuditedKernel.data | type | 3 }
      }
      #expect(answer.physical == PhysicalAddress(physical))
      #expect((answer.doubt != nil) == isDoubted, "\(String(physical, radix: 16)): \(answer.doubt?.text ?? "")")
    }
  }

  @Test("Nothing where something has to be: RAM in the linear map, the text, vmemmap of RAM")
  func holes() throws {
    for address in [AuditedKernel.linear + 0x30_5000, AuditedKernel.text + 0x3000, AuditedKernel.vmemmap + 0x5000] {
      let answer = try resolution(address) { $0.change(address) { _ in 0 } }
      #expect(answer.status == .unmapped && answer.doubt != nil, "\(String(address, radix: 16))")
    }
    // Beyond RAM, and in vmalloc, nothing has to be.
    for address in [
      AuditedKernel.linear + 0x80_0000, AuditedKernel.vmalloc + 0x5000, AuditedKernel.vmemmap + 0x20_0000,
    ] {
      let answer = try resolution(address) { _ in }
      #expect(
        answer.status == .unmapped && answer.doubt == nil, "\(String(address, radix: 16)): \(answer.doubt?.text ?? "")")
    }
  }
}
