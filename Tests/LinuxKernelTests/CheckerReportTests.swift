import KernelVA
import Testing

/// What KASAN and KFENCE report, and which lockup it is. The lines are in the words of the kernel's own sources
/// (mm/kasan/report.c and report_generic.c, mm/kfence/report.c, kernel/watchdog.c, kernel/hung_task.c,
/// kernel/rcu/tree_stall.h).
@Suite struct CheckerReportTests {
  private func report(_ text: String) -> CheckerReport? {
    CheckerReport(text.split(separator: "\n", omittingEmptySubsequences: false))
  }

  @Test("KASAN says which object was used after it was freed")
  func useAfterFree() throws {
    let found = try #require(
      report(
        """
        BUG: KASAN: slab-use-after-free in kva_read+0x74/0x98 [kvatest]
        Read of size 8 at addr ffff00000b3a2508 by task init/1

        CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12.0 #1
        Call trace:
         dump_backtrace+0x9c/0x128
         kasan_report+0xb0/0x100

        Allocated by task 1:
         kasan_save_stack+0x28/0x50

        The buggy address belongs to the object at ffff00000b3a2500
         which belongs to the cache kmalloc-128 of size 128
        The buggy address is located 8 bytes inside of
         freed 128-byte region [ffff00000b3a2500, ffff00000b3a2580)

        Memory state around the buggy address:
        ==================================================================
        Kernel panic - not syncing: kasan.fault=panic set ...
        """))
    #expect(found.address == 0xffff_0000_0b3a_2508)
    #expect(found.isWrite == false)
    #expect(found.place == "kva_read+0x74/0x98 [kvatest]")
    #expect(
      found.object
        == "belongs to the object at ffff00000b3a2500 which belongs to the cache kmalloc-128 of size 128; "
        + "is located 8 bytes inside of freed 128-byte region [ffff00000b3a2500, ffff00000b3a2580)")
  }

  @Test("KASAN's other accesses")
  func accesses() throws {
    let head = "BUG: KASAN: double-free in a+0x0/0x10\n"
    let freed = try #require(report(head + "Free of addr ffff00000b3a2500 by task init/1"))
    #expect(freed.address == 0xffff_0000_0b3a_2500 && freed.isWrite == nil && freed.object == nil)
    let written = try #require(report(head + "Write of size 1 at addr ffff00000b3a2580 by task a b/12"))
    #expect(written.address == 0xffff_0000_0b3a_2580 && written.isWrite == true)
  }

  @Test("KFENCE says which object it guarded; a hashed address is none")
  func kfence() throws {
    let found = try #require(
      report(
        """
        BUG: KFENCE: out-of-bounds write in test_out_of_bounds_write+0x84/0x110

        Out-of-bounds write at 0xffff0000ff6b3020 (32B right of kfence-#20):
         test_out_of_bounds_write+0x84/0x110

        kfence-#20: 0xffff0000ff6b3000-0xffff0000ff6b301f, size=32, cache=kmalloc-32

        allocated by task 120 on cpu 1 at 3.500s (0.001s ago):
        """))
    #expect(found.address == 0xffff_0000_ff6b_3020 && found.isWrite == true)
    #expect(found.place == "test_out_of_bounds_write+0x84/0x110")
    #expect(
      found.object == "kfence-#20: 0xffff0000ff6b3000-0xffff0000ff6b301f, size=32, cache=kmalloc-32")
    let read = try #require(
      report("BUG: KFENCE: use-after-free read in f+0x4/0x8\nUse-after-free read at 0x00000000d3a1b2c4 (in kfence-#7):")
    )
    #expect(read.address == nil && read.isWrite == nil)
    let freed = try #require(
      report("BUG: KFENCE: invalid free in f+0x4/0x8\nInvalid free of 0xffff0000ff6b3008 (in kfence-#7):"))
    #expect(freed.address == 0xffff_0000_ff6b_3008 && freed.isWrite == nil)
  }

  @Test("Any other line begins no such report")
  func none() { #expect(report("BUG: soft lockup - CPU#0 stuck for 22s!") == nil && report("") == nil) }

  @Test(
    "Lockups by their first line",
    arguments: [
      ("watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [kworker/1:0:22]", FaultKind.softLockup),
      ("watchdog: Watchdog detected hard LOCKUP on cpu 3", .hardLockup),
      ("rcu: INFO: rcu_preempt self-detected stall on CPU", .rcuStall),
      ("INFO: rcu_sched detected stalls on CPUs/tasks:", .rcuStall),
      ("INFO: task jbd2/vda1-8:213 blocked for more than 120 seconds.", .hungTask),
      ("BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!", .lockup),
    ])
  func lockups(_ line: String, _ kind: FaultKind) { #expect(FaultKind(lockup: line) == kind) }
}
