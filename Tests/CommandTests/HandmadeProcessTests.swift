import Foundation
import TestSupport
import Testing

/// A process made by hand, its VMAs in a list as before 6.1, and in a maple tree of two levels.
///
/// Types, by offset in bytes:
///
///     task_struct       pid 0, tgid 4, comm 8, tasks 18, mm 28, __state 30, stack 38
///     mm_struct         pgd 0, map_count 8, start_brk 10, brk 18, start_stack 20, mmap or mm_mt 28
///     vm_area_struct    vm_start 0, vm_end 8, vm_next 10, vm_flags 18, vm_pgoff 20, vm_file 28
///     file              f_path 0 (mnt, dentry), f_inode 10
///     dentry            d_hash 0 (next, pprev), d_parent 10, d_name 18 (hash, len, name), d_inode 28
///     inode             i_ino 0, i_sb 8; super_block s_dev 0; vfsmount mnt_root 0
///     mount             mnt_parent 0, mnt_mountpoint 8, mnt 10
@Suite struct HandmadeProcessTests {
  private static let base = HandmadeKernel.text

  private struct Process {
    var kernel = HandmadeKernel()

    mutating func put(_ offset: UInt64, _ values: UInt64...) {
      for (index, value) in values.enumerated() {
        kernel.setWord(value, at: HandmadeKernel.base + offset + UInt64(index) * 8)
      }
    }

    mutating func put(_ offset: Int, _ text: String) {
      let bytes = Array(text.utf8) + [0]
      kernel.memory.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
    }
  }

  private static func types(isTree: Bool) -> [UInt8] {
    var writer = BTFWriter()
    let int = writer.integer("unsigned int", size: 4)
    let long = writer.integer("long unsigned int", size: 8)
    let letter = writer.integer("char", size: 1)
    let pointer = writer.reference(kind: 2, to: 0)
    func at(_ offset: Int, _ name: String, _ type: Int) -> BTFWriter.Member { .init(name, type, bit: offset * 8) }
    let comm = writer.array(of: letter, index: long, count: 16)
    let pair = writer.structure("list_head", size: 16, [at(0, "next", pointer), at(8, "prev", pointer)])
    _ = writer.structure(
      "task_struct", size: 0x40,
      [
        at(0, "pid", int), at(4, "tgid", int), at(8, "comm", comm), at(0x18, "tasks", pair), at(0x28, "mm", pointer),
        at(0x30, "__state", int), at(0x38, "stack", pointer),
      ])
    let tree = writer.structure("maple_tree", size: 8, [at(0, "ma_root", pointer)])
    _ = writer.structure(
      "mm_struct", size: 0x30,
      [
        at(0, "pgd", pointer), at(8, "map_count", int), at(0x10, "start_brk", long), at(0x18, "brk", long),
        at(0x20, "start_stack", long), isTree ? at(0x28, "mm_mt", tree) : at(0x28, "mmap", pointer),
      ])
    _ = writer.structure(
      "vm_area_struct", size: 0x30,
      [
        at(0, "vm_start", long), at(8, "vm_end", long), at(0x10, "vm_next", pointer), at(0x18, "vm_flags", long),
        at(0x20, "vm_pgoff", long), at(0x28, "vm_file", pointer),
      ])
    let path = writer.structure("path", size: 16, [at(0, "mnt", pointer), at(8, "dentry", pointer)])
    _ = writer.structure("file", size: 0x18, [at(0, "f_path", path), at(0x10, "f_inode", pointer)])
    let link = writer.structure("hlist_bl_node", size: 16, [at(0, "next", pointer), at(8, "pprev", pointer)])
    let name = writer.structure("qstr", size: 16, [at(0, "hash", int), at(4, "len", int), at(8, "name", pointer)])
    _ = writer.structure(
      "dentry", size: 0x30,
      [at(0, "d_hash", link), at(0x10, "d_parent", pointer), at(0x18, "d_name", name), at(0x28, "d_inode", pointer)])
    _ = writer.structure("inode", size: 16, [at(0, "i_ino", long), at(8, "i_sb", pointer)])
    _ = writer.structure("super_block", size: 8, [at(0, "s_dev", int)])
    let mounted = writer.structure("vfsmount", size: 8, [at(0, "mnt_root", pointer)])
    _ = writer.structure(
      "mount", size: 0x18,
      [at(0, "mnt_parent", pointer), at(8, "mnt_mountpoint", pointer), at(0x10, "mnt", mounted)])
    // Where the section ends is aligned.
    return writer.bytes + .zeros((8 - writer.bytes.count % 8) % 8)
  }

  /// Where the VMAs are, and their ranges.
  private static let areas: [(at: UInt64, start: UInt64, end: UInt64)] = [
    (0xb000, 0x40_0000, 0x40_1000), (0xb040, 0x50_0000, 0x50_2000), (0xb080, 0x50_2000, 0x50_3000),
    (0xb0c0, 0xffff_0000_0000, 0xffff_0000_1000), (0xb100, 0xffff_fff0_0000, 0xffff_ffff_f000),
  ]

  private static func process(isTree: Bool) -> Process {
    var made = Process()
    func at(_ offset: UInt64) -> UInt64 { base + offset }
    let btf = types(isTree: isTree)
    made.kernel.memory.replaceSubrange(0x7000..<(0x7000 + btf.count), with: btf)
    made.kernel.vmcoreinfo[0] = "OSRELEASE=\(isTree ? "6.12.0" : "5.10.0")-handmade"
    for (name, offset) in [("__start_BTF", 0x7000), ("__stop_BTF", 0x7000 + UInt64(btf.count)), ("init_task", 0xa000)] {
      made.kernel.vmcoreinfo.append("SYMBOL(\(name))=\(String(at(offset), radix: 16))")
    }
    made.put(0xa008, "swapper/0")
    made.put(0xa018, at(0xa098), at(0xa098), 0)
    made.put(0xa080, 1 | 1 << 32)
    made.put(0xa088, "proc")
    made.put(0xa098, at(0xa018), at(0xa018), at(0xa100))
    made.put(0xa100, at(0x5000), UInt64(areas.count), 0x50_0000, 0x50_2000, 0xffff_ffff_e000)
    // rx, a file from its third page on; rw, the heap; rw, behind it; a shared one whose file was removed; the stack.
    let flags: [UInt64] = [0x75, 0x73, 0x73, 0xfb, 0x173]
    let files: [UInt64] = [at(0xc000), 0, 0, at(0xc020), 0]
    for (index, area) in areas.enumerated() {
      let next = index + 1 < areas.count ? at(areas[index + 1].at) : 0
      made.put(area.at, area.start, area.end, next, flags[index], index == 0 ? 2 : 0, files[index])
    }
    // Mounts: the root at 0xc100, another on /mnt at 0xc120. Dentries: /, mnt, the root of the other, two files.
    made.put(0xc000, at(0xc130), at(0xc2c0), at(0xc080))
    made.put(0xc020, at(0xc110), at(0xc300), at(0xc080))
    made.put(0xc080, 77, at(0xc0a0))
    made.put(0xc0a0, 8 << 20 | 17)
    made.put(0xc100, at(0xc100), at(0xc200), at(0xc200))
    made.put(0xc120, at(0xc100), at(0xc240), at(0xc280))
    let dentries: [(at: UInt64, parent: UInt64, name: String, isHashed: Bool)] = [
      (0xc200, 0xc200, "/", true), (0xc240, 0xc200, "mnt", true), (0xc280, 0xc280, "/", true),
      (0xc2c0, 0xc280, "lib a\nb", true), (0xc300, 0xc200, "gone", false),
    ]
    for (index, dentry) in dentries.enumerated() {
      let text = 0xc400 + UInt64(index) * 32
      made.put(Int(text), dentry.name)
      made.put(
        dentry.at, 0, dentry.isHashed ? at(0xc400) : 0, at(dentry.parent), UInt64(dentry.name.utf8.count) << 32,
        at(text), at(0xc080))
    }
    guard isTree else {
      made.put(0xa128, at(areas[0].at))
      return made
    }
    // The root, an arange_64 (3), has two leaf_64 (1): the last pivot of each is what its parent has.
    made.put(0xa128, at(0xd000) | 3 << 3 | 2)
    made.put(0xd000, 1, 0x50_2fff)
    made.put(0xd050, at(0xd100) | 1 << 3 | 4, at(0xd200) | 1 << 3 | 4)
    made.put(0xd0f0, 1)
    made.put(0xd108, 0x3f_ffff, 0x40_0fff, 0x4f_ffff, 0x50_1fff, 0x50_2fff)
    made.put(0xd180, 0, at(areas[0].at), 0, at(areas[1].at), at(areas[2].at), 0xdead)
    made.put(0xd1f8, 4)
    made.put(0xd208, 0xfffe_ffff_ffff, 0xffff_0000_0fff, 0xffff_ffef_ffff, 0xffff_ffff_efff)
    made.put(0xd280, 0, at(areas[3].at), 0, at(areas[4].at), 0x406, at(areas[0].at))
    made.put(0xd2f8, 4)
    return made
  }

  private func lines(_ process: Process) throws -> (lines: [String], errors: String, status: Int32) {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try process.kernel.core.write(to: path)
      let result = try Kva.run(["maps", path, "1"])
      return (result.lines, result.standardError, result.status)
    }
  }

  @Test("VMAs of a list and of a maple tree, with paths through a mount", arguments: [false, true])
  func maps(isTree: Bool) throws {
    func line(_ text: String, _ name: String) -> String {
      text + String(repeating: " ", count: 73 - text.utf8.count) + name
    }
    // What begins where brk is: up to 6.7 that is the heap, too.
    let behind = "00502000-00503000 rw-p 00000000 00:00 0 "
    let wanted: [String] = [
      line("00400000-00401000 r-xp 00002000 08:11 77 ", "/mnt/lib a\\012b"),
      line("00500000-00502000 rw-p 00000000 00:00 0 ", "[heap]"), isTree ? behind : line(behind, "[heap]"),
      line("ffff00000000-ffff00001000 rw-s 00000000 08:11 77 ", "/gone (deleted)"),
      line("fffffff00000-fffffffff000 rw-p 00000000 00:00 0 ", "[stack]"),
    ]
    let found = try lines(Self.process(isTree: isTree))
    #expect(found.lines == wanted, "\(found.errors)")
    #expect(found.status == 0, "\(found.errors)")
  }

  @Test("A damaged list or tree says what is wrong, and ends")
  func damaged() throws {
    var circle = Self.process(isTree: false)
    circle.put(0xb110, HandmadeKernel.text + 0xb000)
    var few = Self.process(isTree: true)
    few.put(0xa108, 7)
    var loop = Self.process(isTree: true)
    loop.put(0xd050, HandmadeKernel.text + 0xd000 | 3 << 3 | 4)
    var dead = Self.process(isTree: true)
    dead.put(0xd200, HandmadeKernel.text + 0xd200)
    var back = Self.process(isTree: true)
    back.put(0xd108, 0x3f_ffff, 0x3f_0000)
    for (process, words) in [
      (circle, "runs in a circle"), (few, "5 VMAs were found, but map_count is 7"), (loop, "larger than any"),
      (dead, "is dead"), (back, "its pivots do not ascend"),
    ] {
      let found = try lines(process)
      #expect(found.status == 1 && found.errors.contains(words), "\(found)")
    }
  }
}
