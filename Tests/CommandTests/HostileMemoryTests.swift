import Foundation
import TestSupport
import Testing

/// Memory and notes that lie about the kernel's own structures: each of these once trapped, or went on for ever.
@Suite struct HostileMemoryTests {
  /// A line of VMCOREINFO that takes the place of the one with its key, or is added.
  static let lines = [
    "SYMBOL(_stext)=0", "SYMBOL(_stext)=ffffffffffffffff", "SYMBOL(swapper_pg_dir)=ffffffffffffffff",
    "NUMBER(TCR_EL1_T1SZ)=0x3f", "NUMBER(kimage_voffset)=-1", "NUMBER(PHYS_OFFSET)=0xffffffffffffffff",
    "KERNELOFFSET=ffffffffffffffff", "SIZE(page)=-1", "SIZE(page)=9223372036854775807", "SIZE(page)=0",
    "OFFSET(page._mapcount)=-8", "OFFSET(page.flags)=9223372036854775807", "NUMBER(VMALLOC_START)=0xffffffffffffffff",
    "NUMBER(VMEMMAP_END)=0x1", "NUMBER(MODULES_VADDR)=0xffff800000000000", "OSRELEASE=99999999999999999999.1",
    "OSRELEASE=", "CRASHTIME=18446744073709551615", "NUMBER(KERNELPACMASK)=0xffffffffffffffff",
    "SYMBOL(vmemmap)=ffffffffffffffff", "SYMBOL(init_task)=ffff800008005000", "SYMBOL(modules)=ffff800008005000",
    "SYMBOL(vmap_area_list)=ffff800008005000", "SYMBOL(__per_cpu_offset)=ffff800008005000",
    "SYMBOL(kallsyms_names)=ffff800008005000",
  ]

  static let commands = ["info", "regions", "audit", "ptdump", "dmesg", "modules", "tasks", "vmalloc", "symbols"]

  private func check(_ kernel: HandmadeKernel, _ commands: [String], _ what: String) throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      for command in commands {
        let result = try Kva.run([command, path, "--no-debuginfo"], limit: 60, memory: 512 << 10)
        #expect((0...2).contains(result.status), "\(what): \(command) \(result.standardError)")
        #expect(result.errorLines.allSatisfy { $0.hasPrefix("kva: ") }, "\(what): \(command) \(result.standardError)")
      }
      let asked = try Kva.run(
        ["identify", path, "--json", "--no-debuginfo"], input: "ffff800008005010\nffff000000000000\n", limit: 60)
      #expect((0...2).contains(asked.status), "\(what): \(asked.standardError)")
    }
  }

  @Test("A line of VMCOREINFO that cannot be", arguments: lines)
  func line(_ line: String) throws {
    var kernel = HandmadeKernel()
    let key = line.prefix { $0 != "=" } + "="
    kernel.vmcoreinfo.removeAll { $0.hasPrefix(key) }
    kernel.vmcoreinfo.append(line)
    try check(kernel, Self.commands, line)
  }

  /// Offsets of the log's structures, of which one is out of all bounds.
  @Test("Of many lines of VMCOREINFO that no kernel writes the first 64 are told")
  func manyLines() throws {
    try Scratch.withFolder { folder in
      var kernel = HandmadeKernel()
      kernel.vmcoreinfo += (0..<70).map { "SYMBOL(a\($0))=\($0)" }
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      let lines = try Kva.run(["resolve", path, hex(HandmadeKernel.text)]).errorLines
      #expect(lines.count { $0.contains("which no kernel writes; ignored") } == 64)
      #expect(lines.contains { $0.hasSuffix("VMCOREINFO says SYMBOL(a63)=63, which no kernel writes; ignored") })
    }
  }

  @Test("Offsets of the log that cannot be", arguments: ["-1", "9223372036854775807", "4294967296", "0"])
  func log(_ value: String) throws {
    for names in [
      [
        "OFFSET(printk_ringbuffer.desc_ring)", "OFFSET(printk_ringbuffer.text_data_ring)",
        "OFFSET(prb_desc_ring.count_bits)", "OFFSET(prb_desc_ring.descs)", "OFFSET(prb_desc_ring.infos)",
        "OFFSET(prb_desc_ring.head_id)", "OFFSET(prb_desc_ring.tail_id)", "OFFSET(prb_data_ring.size_bits)",
        "OFFSET(prb_data_ring.data)", "SIZE(prb_desc)", "OFFSET(prb_desc.state_var)", "OFFSET(prb_desc.text_blk_lpos)",
        "OFFSET(prb_data_blk_lpos.begin)", "OFFSET(prb_data_blk_lpos.next)", "SIZE(printk_info)",
      ],
      ["SIZE(printk_log)", "OFFSET(printk_log.ts_nsec)", "OFFSET(printk_log.len)", "OFFSET(printk_log.text_len)"],
    ] {
      for name in names {
        var kernel = HandmadeKernel()
        kernel.vmcoreinfo += names.map { "\($0)=\($0 == name ? value : "8")" }
        kernel.vmcoreinfo += names.count > 4 ? ["SYMBOL(prb)=ffff800008005000"] : []
        kernel.vmcoreinfo += ["log_buf", "log_buf_len", "log_first_idx", "log_next_idx"].map {
          "SYMBOL(\($0))=ffff800008005000"
        }
        // A pointer to itself, so that what follows is read.
        kernel.setWord(HandmadeKernel.text + 0x5000, at: 0x4000_5000)
        try check(kernel, ["dmesg"], "\(name)=\(value)")
      }
    }
  }
}
