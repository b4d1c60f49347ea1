import Foundation

/// drgn's part, where it is installed: its own walker over the same file, from Python as people use it.
struct Drgn {
  private let script: String

  /// nil where Python has no drgn.
  init?(workspace: String) {
    guard let child = try? Child.run("python3", ["-c", "import drgn"]), child.status == 0 else { return nil }
    script = workspace + "/drgn_side.py"
    do { try Self.text.write(toFile: script, atomically: true, encoding: .utf8) } catch { return nil }
  }

  /// Opens `dump`, does `work` on the addresses of `list` `rounds` times and says what the fastest round took; nil
  /// where drgn cannot.
  func run(_ work: String, _ dump: String, _ list: String, rounds: Int) -> (measurement: Measurement, child: Child)? {
    guard let child = try? Child.run("python3", [script, work, dump, list, String(rounds)]), child.status == 0,
      let measurement = try? JSONDecoder().decode(Measurement.self, from: child.output)
    else { return nil }
    return (measurement, child)
  }

  private static let text = """
    import json, sys, time
    import drgn
    from _drgn import _linux_helper_follow_phys as follow
    work, dump, path, rounds = sys.argv[1:5]
    program = drgn.Program()
    program.set_core_dump(dump)
    lines = [line.split() for line in open(path)]
    root = int(lines[0][1], 16)
    virtual = [int(line[0], 16) for line in lines]
    best = None
    for _ in range(int(rounds)):
        start = time.perf_counter()
        check = 0
        if work == "translate":
            for address in virtual:
                check += follow(program, root, address)
        elif work == "read":
            for address in virtual:
                check += len(program.read(address, 4096)) // 4096
        elif work == "cold":
            check = follow(program, root, virtual[0])
        elif work == "names":
            if best is None:
                from drgn.helpers.linux.kallsyms import load_vmlinux_kallsyms
                program.register_symbol_finder("kallsyms", load_vmlinux_kallsyms(program), enable_index=0)
                program.symbol(virtual[0])
                start = time.perf_counter()
            for address in virtual:
                check += program.symbol(address).address
        elif work == "stacks":
            from drgn.helpers.linux.pid import for_each_task
            if best is None:
                program.load_default_debug_info()
                start = time.perf_counter()
            virtual = list(for_each_task(program))
            for task in virtual:
                try:
                    check += sum(1 for frame in program.stack_trace(task) if frame.symbol().name)
                except (LookupError, ValueError):
                    pass
        seconds = time.perf_counter() - start
        best = min(best or seconds, seconds)
    print(json.dumps({"count": len(virtual), "seconds": best, "check": check % 2**64}))
    """
}
