extension CrashNames {
  /// What to do instead of `name`, a command of crash(8) that kva does not have; nil for any other name.
  static func advice(_ name: String) -> String? { missing[name] ?? (structures.contains(name) ? unread : nil) }

  /// Commands about structures that kva does not list.
  private static let structures: Set = ["dev", "ipcs", "irq", "mount", "net", "sbitmapq", "sig", "swap", "timer"]
  private static let unread = "print, list and tree show the kernel's structures, type how they are laid out"

  private static let missing = [
    "alias": "there are no aliases: a line may begin with any command that 'help' lists",
    "ascii": "!ascii shows the table; read shows bytes with their characters",
    "bpf": "symbols and stack name BPF programs as the kernel does",
    "btop": "divide by the page size that info shows; identify says which frame an address is in",
    "dis": "kva does not disassemble: read ADDRESS 64 --raw > code, then !objdump -D -b binary -m aarch64 code",
    "eval": "print takes expressions of C; ADDRESS+OFFSET is understood everywhere",
    "extend": "kva loads no extensions: batch and the Python module answer programs",
    "files": "print the task's files_struct",
    "foreach": "stack --all shows the stacks of all tasks, tasks --json all of each",
    "fuser": "no command finds the users of a file",
    "gdb": "there is no gdb inside; print takes expressions of C",
    "kmem": "kmem -v is vmalloc, kmem -s slab; regions shows how memory is divided, identify what lies at an address",
    "mach": "info shows the CPUs and their registers",
    "pte": "fault --line pte=VALUE takes an entry apart, vtop ADDRESS --walk shows all on the way to an address",
    "ptob": "multiply by the page size that info shows",
    "repeat": "a dump does not change; '|' hands an answer to a program",
    "runq": "tasks --state R lists the tasks that run or are ready, info what each CPU runs",
    "rustfilt": "symbols are shown as the kernel has them: symbols | rustfilt",
    "set": "no task is current: give a PID to stack, tasks or --ttbr0",
    "task": "tasks PID --json shows what is known of a task, print its task_struct",
    "waitq": "stack --all --state D shows what waits, and where",
    "wr": "kva only reads: a dump is evidence",
  ]
}
