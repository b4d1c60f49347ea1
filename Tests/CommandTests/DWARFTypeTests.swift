import Foundation
import TestSupport
import Testing

/// With DWARF in place of BTF each command that reads types answers the same.
@Suite(.enabled(if: CrossCompiler.isAvailable, "clang and its linker are not there"))
struct DWARFTypeTests {
  private static let name = "c61-4k48-nokaslr"

  /// A vmlinux of the dump's build with DWARF of all its types.
  private func writeVMLinux(_ dump: String, in folder: URL) throws -> String {
    let header = folder.appendingPathComponent("vmlinux.h").path
    try #require(try Kva.run(["type", dump, "--export", "c", "-o", header]).status == 0)
    let object = folder.appendingPathComponent("types.o").path
    try CrossCompiler.compile(
      """
      #include "\(header)"
      struct task_struct *find_task(int number, const char *name) { return 0; }
      """, ["-g", "-w", "-fno-eliminate-unused-debug-types"], to: object)
    let build = try #require(DumpEntry.named(Self.name).vmcoreinfo()["BUILD-ID"])
    let path = folder.appendingPathComponent("vmlinux").path
    try CrossCompiler.link([object], ["--build-id=0x\(build)"], to: path)
    return path
  }

  /// The lines of an answer, whatever order a file has types in; clang calls integers otherwise than gcc does.
  private func lines(_ result: ProcessResult) -> [String] {
    let names = [
      ("long long unsigned int", "unsigned long long"), ("long unsigned int", "unsigned long"),
      ("short unsigned int", "unsigned short"), ("long long int", "long long"), ("long int", "long"),
      ("short int", "short"),
    ]
    return result.lines.map { line in
      let plain = names.reduce(line) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
      return plain.split(separator: " ").joined(separator: " ")
    }.sorted()
  }

  @Test("type, print, list, tree and read --type go by DWARF where there is no BTF")
  func commands() throws {
    let entry = try DumpEntry.named(Self.name)
    let dump = try entry.path("vmcore.elf")
    let facts = try entry.facts()
    try Scratch.withFolder { folder in
      let vmlinux = try writeVMLinux(dump, in: folder)
      let bare = try PatchedCore(
        copying: dump, to: folder.appendingPathComponent("vmcore").path, root: facts.swapperPgDir &- facts.kimageVoffset
      )
      // The header of BTF: its magic number, version, flags and length.
      try bare.replaceAll([0x9f, 0xeb, 1, 0, 24, 0, 0, 0], with: [UInt8](repeating: 0, count: 8))
      let none = try Kva.run(["type", bare.path, "list_head", "--no-debuginfo"])
      #expect(none.status == 1 && none.standardError.contains("no BTF was found"))
      for question in [
        ["type", "struct list_h*"], ["type", "pid_t*"], ["type", "task_struct"], ["type", "enum", "pid_type"],
        ["type", "task_struct.comm"], ["type", "list_head", "--offset", "8"],
        ["print", "init_task.comm", "PIDTYPE_SID", "sizeof(struct module)", "init_task.tasks"],
        ["print", "(enum pid_type)2", "offsetof(struct task_struct, tasks)", "jiffies == 0"],
        ["list", "task_struct.tasks", "init_task.tasks", "--print", "pid,comm"],
        ["tree", "rbtree", "vmap_area.rb_node", "vmap_area_root", "--print", "va_start"],
        ["tree", "idr", "pid", "init_pid_ns.idr", "--print", "level"],
        [
          "tree", "maple", "vm_area_struct", "container_of(init_task.tasks.next, struct task_struct, tasks)->mm->mm_mt",
        ],
        ["read", "init_uts_ns", "--type", "uts_namespace"],
        ["slab"], ["page", "pfn:262144"],
      ] {
        let wanted = try Kva.run([question[0], dump] + question.dropFirst() + ["--no-debuginfo"])
        let found = try Kva.run([question[0], bare.path] + question.dropFirst() + ["--vmlinux", vmlinux])
        #expect(wanted.status == 0 && !wanted.output.isEmpty, "\(question)")
        #expect(found.status == 0, "\(question): \(found.standardError)")
        let differences = zip(lines(found), lines(wanted)).filter { $0 != $1 }
        #expect(differences.isEmpty && found.lines.count == wanted.lines.count, "\(question): \(differences.prefix(3))")
      }
      #expect(
        try Kva.run(["type", bare.path, "find_task", "--vmlinux", vmlinux]).lines
          == ["struct task_struct *find_task(int number, const char *name);"])
      let near = try Kva.run(["type", bare.path, "list_haed", "--vmlinux", vmlinux])
      #expect(near.standardError.contains("did you mean list_head"))
      // Its header compiles as well.
      let header = folder.appendingPathComponent("again.h").path
      #expect(try Kva.run(["type", bare.path, "--vmlinux", vmlinux, "--export", "c", "-o", header]).status == 0)
      let size = try Kva.run(["print", dump, "sizeof(struct task_struct)", "--json"]).object()["value"] as? Int
      try CrossCompiler.compile(
        "#include \"\(header)\"\n_Static_assert(sizeof(struct task_struct) == \(size ?? 0), \"\");\n", ["-Werror"],
        to: folder.appendingPathComponent("again.o").path)
    }
  }
}
