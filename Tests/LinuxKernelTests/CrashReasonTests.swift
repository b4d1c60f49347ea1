import KernelVA
import Testing

/// What logs of crashed kernels tell. The lines are in the words of the kernels' own sources (arch/arm64/mm/fault.c,
/// arch/arm64/kernel/traps.c and process.c, kernel/panic.c, kernel/watchdog.c, lib/bug.c, mm/kasan/report.c).
@Suite struct CrashReasonTests {
  private func reason(_ log: String, caller: String? = nil) -> CrashReason? {
    CrashReason(
      log.split(separator: "\n").enumerated().map { number, line in
        LogRecord(sequence: UInt64(number), timestamp: UInt64(number) * 1000, caller: caller, text: String(line))
      })
  }

  static let oops = """
    EXT4-fs (vda1): mounted filesystem
    Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010
    Mem abort info:
      ESR = 0x0000000096000005
    [0000000000000010] pgd=0000000000000000, p4d=0000000000000000
    Internal error: Oops: 0000000096000005 [#1] SMP
    Modules linked in: ext4(E) fuse
    CPU: 3 PID: 1234 Comm: my app Tainted: G        W  OE      6.1.0-13-arm64 #1
    Hardware name: linux,dummy-virt (DT)
    pstate: 60000005 (nZCv daif -PAN -UAO -TCO -DIT -SSBS BTYPE=--)
    pc : ext4_iget+0x10/0x200 [ext4]
    lr : ext4_lookup+0x1c/0x30 [ext4]
    Call trace:
     ext4_iget+0x10/0x200 [ext4]
     ext4_lookup+0x1c/0x30 [ext4]
     el0_svc+0x18/0x54
    Code: d503201f f9400000
    ---[ end trace 0000000000000000 ]---
    """

  @Test("An oops is told by its first line; the panic that follows is its consequence")
  func nullPointer() throws {
    let crash = try #require(reason(Self.oops + "\nKernel panic - not syncing: Oops: Fatal exception\nSMP: stopping"))
    #expect(crash.kind == .oops)
    #expect(crash.text == "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010")
    #expect(crash.panic == "Oops: Fatal exception")
    #expect(crash.timestamp == 1000)
    #expect(crash.cpu == 3)
    #expect(crash.pid == 1234)
    #expect(crash.comm == "my app")
    #expect(crash.pc == "ext4_iget+0x10/0x200 [ext4]")
    #expect(
      crash.trace == ["ext4_iget+0x10/0x200 [ext4]", "ext4_lookup+0x1c/0x30 [ext4]", "el0_svc+0x18/0x54"])
    // W is bit 9, O 12, E 13.
    #expect(crash.taint?.mask == 0x3200)
    #expect(crash.taint?.letters == "WOE")
    #expect(
      CrashSignature.text(crash, at: crash.trace)
        == "oops: Unable to handle kernel NULL pointer dereference at virtual address N in ext4_iget")
    // Without panic_on_oops the log goes on.
    #expect(reason(Self.oops + "\nusb 1-1: new device")?.text == crash.text)
  }

  @Test("The same crash of another build, boot and task has the same name")
  func sameSignature() throws {
    let other = Self.oops.replacingOccurrences("0x10/0x200", "0x24/0x3f0").replacingOccurrences("0000010", "0000028")
      .replacingOccurrences("PID: 1234", "UID: 1000 PID: 77").replacingOccurrences("ext4_iget", "ext4_iget.isra.0")
    let crash = try #require(reason(other))
    let first = try #require(reason(Self.oops))
    #expect(crash.pid == 77)
    #expect(CrashSignature.text(crash, at: crash.trace) == CrashSignature.text(first, at: first.trace))
  }

  static let cases: [(log: String, kind: CrashReason.Kind, text: String, signature: String)] = [
    (
      "sysrq: Trigger a crash\nKernel panic - not syncing: sysrq triggered crash\nCPU: 0 PID: 141 Comm: sh Not tainted 6.1\n"
        + "Call trace:\n dump_backtrace+0xe4/0x140\n show_stack+0x20/0x30\n dump_stack_lvl+0x64/0x80\n dump_stack+0x18/0x34\n"
        + " panic+0x188/0x348\n sysrq_handle_crash+0x1c/0x20\n __handle_sysrq+0x8c/0x1a0", .sysrq,
      "Kernel panic - not syncing: sysrq triggered crash", "sysrq: sysrq triggered crash in sysrq_handle_crash"
    ),
    (
      "SysRq : Trigger a crash\nUnable to handle kernel NULL pointer dereference at virtual address 00000000\n"
        + "Internal error: Oops: 96000046 [#1] SMP\nPC is at sysrq_handle_crash+0x24/0x30\nLR is at sysrq_handle_crash+0x10/0x30\n"
        + "Call trace:\n[<ffff0000085a1b2c>] sysrq_handle_crash+0x24/0x30\n[<ffff0000085a2144>] __handle_sysrq+0x9c/0x160\n",
      .sysrq, "Unable to handle kernel NULL pointer dereference at virtual address 00000000",
      "sysrq: Unable to handle kernel NULL pointer dereference at virtual address N in sysrq_handle_crash"
    ),
    (
      "------------[ cut here ]------------\nkernel BUG at mm/slub.c:4123!\nInternal error: Oops - BUG: 00000000f2000800 [#1] SMP\n"
        + "CPU: 1 PID: 9 Comm: kworker/0:1 Not tainted 6.12.1 #1\npc : kfree+0x1a0/0x2b0\nCall trace:\n kfree+0x1a0/0x2b0 (P)\n"
        + " free_it+0x10/0x20 (L)\n---[ end trace 0 ]---\nKernel panic - not syncing: Oops - BUG: Fatal exception",
      .bug,
      "kernel BUG at mm/slub.c:4123!", "bug: kernel BUG at mm/slub.c:N! in kfree"
    ),
    (
      "watchdog: BUG: soft lockup - CPU#2 stuck for 23s! [kworker/2:1:77]\nCPU: 2 PID: 77 Comm: kworker/2:1 Not tainted 6.6\n"
        + "pc : spin+0x8/0x10 [looper]\nCall trace:\n spin+0x8/0x10 [looper]\nKernel panic - not syncing: softlockup: hung tasks",
      .lockup, "watchdog: BUG: soft lockup - CPU#2 stuck for 23s! [kworker/2:1:77]",
      "lockup: watchdog: BUG: soft lockup - CPU#N stuck for N! [kworker/N:N:N] in spin"
    ),
    (
      "BUG: KASAN: slab-out-of-bounds in foo+0x10/0x20\nWrite of size 8 at addr ffff000012345678 by task sh/12\n"
        + "CPU: 0 PID: 12 Comm: sh Not tainted 6.6\nCall trace:\n dump_backtrace+0x9c/0x100\n kasan_report+0xa8/0xe0\n foo+0x10/0x20\n"
        + "Kernel panic - not syncing: kasan.fault=panic set ...", .bug,
      "BUG: KASAN: slab-out-of-bounds in foo+0x10/0x20",
      "bug: BUG: KASAN: slab-out-of-bounds in foo+N/N in foo"
    ),
    (
      "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\nCPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.1\n"
        + "Call trace:\n dump_backtrace+0xe4/0x140\n panic+0x188/0x348\n mount_block_root+0x1b0/0x240", .panic,
      "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
      "panic: VFS: Unable to mount root fs on unknown-block(N,N) in mount_block_root"
    ),
    (
      "WARNING: CPU: 1 PID: 5 at kernel/foo.c:12 warner+0x10/0x18\nModules linked in:\nCPU: 1 PID: 5 Comm: x Not tainted 6.6\n"
        + "pc : warner+0x10/0x18\nCall trace:\n warner+0x10/0x18\nKernel panic - not syncing: kernel: panic_on_warn set ...",
      .warning, "WARNING: CPU: 1 PID: 5 at kernel/foo.c:12 warner+0x10/0x18",
      "warning: WARNING: CPU: N PID: N at kernel/foo.c:N warner+N/N in warner"
    ),
    (
      "INFO: task dd:432 blocked for more than 120 seconds.\nCall trace:\n __switch_to+0xf0/0x170\n"
        + "Kernel panic - not syncing: hung_task: blocked tasks", .lockup,
      "INFO: task dd:432 blocked for more than 120 seconds.",
      "lockup: INFO: task dd:N blocked for more than N seconds. in __switch_to"
    ),
    (
      "SError Interrupt on CPU0, code 0x00000000be000011 -- SError\nCPU: 0 PID: 0 Comm: swapper/0 Not tainted 6.1\npc : readl+0x4/0x8\n"
        + "Kernel panic - not syncing: Asynchronous SError Interrupt\n", .panic,
      "Kernel panic - not syncing: Asynchronous SError Interrupt", "panic: Asynchronous SError Interrupt"
    ),
  ]

  @Test("Each kind of death", arguments: cases.indices)
  func kinds(_ number: Int) throws {
    let wanted = Self.cases[number]
    let crash = try #require(reason(wanted.log))
    #expect(crash.kind == wanted.kind)
    #expect(crash.text == wanted.text)
    #expect(CrashSignature.text(crash, at: [crash.pc].compactMap(\.self) + crash.trace) == wanted.signature)
  }

  @Test("A log without a death tells of none; who wrote the line is told where nothing else tells")
  func others() throws {
    #expect(reason("Booting Linux\nWARNING: CPU: 0 PID: 1 at a.c:1 f+0x1/0x2\nsysrq: Show State") == nil)
    #expect(reason("") == nil)
    #expect(reason("INFO: task dd:1 is doing well") == nil)
    let crash = try #require(reason("Kernel panic - not syncing: bye", caller: "T141"))
    #expect(crash.pid == 141)
    #expect(crash.cpu == nil)
    #expect(try #require(reason("Kernel panic - not syncing: bye", caller: "C3")).cpu == 3)
  }

  @Test("Numbers go, names stay")
  func general() {
    #expect(
      CrashSignature.general("at ffff800012345678, 0x10 of ext4_iget2 (a1b2c3)") == "at N, N of ext4_iget2 (a1b2c3)")
    #expect(CrashSignature.general("") == "")
    #expect(CrashSignature.general("deadbeef DEADBEEF 12 3rd x86_64") == "N DEADBEEF N N x86_64")
  }
}

extension String {
  fileprivate func replacingOccurrences(_ what: String, _ with: String) -> String {
    split(separator: what, omittingEmptySubsequences: false).joined(separator: with)
  }
}
