import Bytes
import CrashDump
import DebugInfo
import VMSA

extension Kernel {
  /// Writes an ELF core of the dump's memory to `path`.
  ///
  /// - Parameters:
  ///   - view: by which addresses.
  ///   - tasks: whether every task is a thread, besides the CPUs.
  ///   - progress: called with the number of bytes of memory that were just written.
  /// - Throws: `LocatedError` when the file cannot be written.
  package func exportCore(
    _ view: CoreView, tasks withTasks: Bool, to path: String, progress: (UInt64) -> Void
  ) throws(LocatedError) -> CoreSummary {
    var threads = cpus.compactMap { state in
      state.registers.map { CoreNotes.Thread(id: ThreadNumber.cpu(state.cpu), registers: TaskRegisters($0)) }
    }
    if withTasks {
      // Of two tasks that claim one PID the first is kept.
      var seen: Set<Int> = []
      for task in allTasks where task.pid > 0 && seen.insert(task.pid).inserted {
        if let registers = registers(of: task) {
          threads.append(CoreNotes.Thread(id: ThreadNumber.task(pid: task.pid), registers: registers))
        }
      }
    }
    let notes = CoreNotes(threads: threads, vmcoreinfo: context.completeVMCoreInfo)
    let map = contents.regions.map(in: self.dump)
    return try CoreExport(context: context, regions: map, notes: notes, view: view).write(to: path, progress: progress)
  }

  /// Writes an ELF file of the symbols of the kernel, its modules and BPF programs to `path`.
  ///
  /// - Returns: how many there are.
  /// - Throws: `LocatedError` when the file cannot be written.
  package func exportSymbols(to path: String) throws(LocatedError) -> Int {
    var symbols: [Symbol] = []
    forEachSymbol { symbol in
      symbols.append(symbol)
      return true
    }
    let sections = contents.sections.value.ranges.map { part in
      SymbolFile.Section(
        name: part.name == "init" ? ".init.text" : ".\(part.name)", range: part.range,
        isExecutable: part.name == "text" || part.name == "init")
    }
    let modules = self.modules.elements.flatMap { module in
      module.regions.filter { $0.start < $0.end }.map { region in
        SymbolFile.Section(
          name: ".\(region.kind.replacing(" ", with: ".")).\(module.name)", range: region.start..<region.end,
          isExecutable: region.kind.hasSuffix("text"))
      }
    }
    let programs = contents.names.bpf.value.all.filter { $0.size > 0 && $0.address <= .max - $0.size }.map {
      SymbolFile.Section(name: ".bpf.\($0.name)", range: $0.address..<($0.address + $0.size), isExecutable: true)
    }
    try SymbolFile(sections: sections + modules + programs, symbols: symbols).write(to: path)
    return symbols.count
  }
}
