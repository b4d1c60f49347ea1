import Bytes
import CrashDump
import DebugInfo
import VMSA

extension Kernel {
  /// Writes an ELF core of the dump's memory to `path`.
  ///
  /// - Parameters:
  ///   - view: the addresses by which memory is presented.
  ///   - tasks: whether every task becomes a thread, besides the CPUs.
  ///   - selection: which pages.
  ///   - progress: called with the number of bytes of memory that were just written.
  /// - Throws: `LocatedError` when pages cannot be told apart, or the file cannot be written.
  package func exportCore(
    _ view: CoreView, tasks withTasks: Bool, _ selection: PageSelection = PageSelection(), to path: String,
    progress: @Sendable (UInt64) -> Void
  ) throws(LocatedError) -> CoreSummary {
    let (left, merged) = try self.left(outOf: selection)
    var notes = cpuNotes
    notes.omissions = selection.omissions + merged
    if withTasks {
      // If two tasks claim the same PID, the first is kept.
      var seen: Set<Int> = []
      for task in allTasks where task.pid > 0 && seen.insert(task.pid).inserted {
        if let registers = registers(of: task) {
          notes.threads.append(CoreNotes.Thread(id: ThreadNumber.task(pid: task.pid), registers: registers))
        }
      }
    }
    if case .virtual = view {
      notes.hasAuxiliaryVector = true
      notes.entry = imageEntry
    }
    let map = contents.regions.map(in: self.dump)
    return try CoreExport(context: context, regions: map, notes: notes, view: view, left: left).write(
      to: path, progress: progress)
  }

  /// Writes a kdump-compressed file of the dump's memory to `path`.
  ///
  /// - Parameters:
  ///   - selection: which pages.
  ///   - progress: called with the number of bytes of memory that were just written.
  /// - Throws: `LocatedError` when pages cannot be told apart, or the file cannot be written.
  package func exportKdump(
    _ compression: PageCompression, _ selection: PageSelection = PageSelection(), to path: String,
    progress: @escaping @Sendable (UInt64) -> Void
  ) throws(LocatedError) -> KdumpSummary {
    let (left, merged) = try self.left(outOf: selection)
    let shift = UInt64(regime.granule.pageShift)
    var notes = cpuNotes
    notes.omissions = selection.omissions + merged
    let description = context.describedKdump(compression, notes, hidesUser: selection.hidesUser)
    return try KdumpOutput(self.dump.memory, description) {
      !left.ranges.isEmpty && left.contains($0.rawValue >> shift)
    }.write(to: path, progress: progress)
  }

  /// The page frames that `selection` leaves out, and, in words, other data that they contain.
  ///
  /// - Throws: `LocatedError` if nothing describes page frames.
  private func left(outOf selection: PageSelection) throws(LocatedError) -> (FrameSet, merged: [String]) {
    guard !selection.isAll else { return (FrameSet(), []) }
    guard let reader = contents.pageReader.value else {
      let reason = context.types.value.unknown("page").text
      throw LocatedError(
        file: self.dump.path, kind: .unsupported,
        "pages of users cannot be told from the kernel's, and nothing was written: \(reason)")
    }
    // If the image's sections are unknown, each part is the whole image.
    let image = contents.sections.value.isEmpty ? context.image.addresses(regime, in: self.dump) : nil
    func ranges(_ isWanted: (String) -> Bool) -> [Range<UInt64>] {
      (image.map { [$0.lowerBound..<$0.upperBound] } ?? [])
        + contents.sections.value.ranges.filter { isWanted($0.name) }.map { $0.range }
        + modules.elements.flatMap(\.regions).filter { isWanted($0.kind) && $0.start < $0.end }
        .map { $0.start..<$0.end }
    }
    let selector = PageSelector(
      context: context, reader: reader, slabs: contents.slabs, text: ranges { $0.hasSuffix("text") },
      data: ranges { $0.hasSuffix("data") && !$0.hasSuffix("rodata") || $0 == "bss" || $0 == "ro-after-init" },
      constants: ranges { $0.hasSuffix("rodata") }, log: contents.logRanges)
    return (selector.left(outOf: selection), selector.mergedOmissions(of: selection))
  }

  /// Writes the user memory of the process of `task` as an ELF core to `path`.
  ///
  /// - Parameter progress: called with the number of bytes of memory that were just written.
  /// - Returns: nil if it has no user space.
  /// - Throws: `LocatedError` if its VMAs are unknown, or the file cannot be written.
  package func exportProcess(
    of task: KernelTask, to path: String, progress: (UInt64) -> Void
  ) throws(LocatedError) -> CoreSummary? {
    guard let mm = task.mm, let root = task.root else { return nil }
    let members = [task] + allTasks.filter { $0.mm == mm && $0.tgid == task.tgid && $0.structure != task.structure }
    let threads = members.compactMap { member in
      stack(of: member).trace.user.map {
        ProcessNotes.Thread(task: member, registers: $0, threadPointer: context.threadPointer(of: member))
      }
    }
    let tables = userRegime(root: root)
    let listing = userMappings(of: task)
    guard !listing.elements.isEmpty else {
      let reason = listing.notes.first ?? Diagnostic(.objectUnreadable, "the process has no VMA")
      throw LocatedError(file: self.dump.path, kind: .unsupported, code: reason.code, reason.text)
    }
    let core = ProcessCore(
      context: context, tables: tables, mappings: listing.elements,
      process: ProcessNotes(context, threads, mm: mm, listing.elements, tables))
    var summary = try core.write(to: path, progress: progress)
    summary.threads = threads.count
    summary.notes += listing.notes
    if threads.count < members.count {
      summary.notes.append(
        Diagnostic(
          .registersMissing,
          "the registers of \(members.count - threads.count) threads in user space are not in the dump"))
    }
    return summary
  }

  /// An ELF core of the dump without its memory: the registers of its CPUs, and VMCOREINFO.
  package var coreOfNotes: [UInt8] {
    let notes = cpuNotes.bytes
    let start = ELFWriter.headerSize + ELFWriter.programHeaderSize
    var writer = ELFWriter()
    // ET_CORE, PT_NOTE
    writer.header(type: 4, programHeaders: (ELFWriter.headerSize, 1), sectionHeaders: (0, 0), names: 0)
    writer.programHeader(
      type: 4, flags: 0, offset: start, virtual: 0, physical: 0, size: UInt64(notes.count), alignment: 4)
    return writer.bytes + notes
  }

  /// The notes of the CPUs, and VMCOREINFO.
  private var cpuNotes: CoreNotes {
    let threads = cpus.compactMap { state in
      state.registers.map { CoreNotes.Thread(id: ThreadNumber.cpu(state.cpu), registers: TaskRegisters($0)) }
    }
    return CoreNotes(
      threads: threads, vmcoreinfo: context.completeVMCoreInfo, pointerAuthentication: pointerAuthenticationMask)
  }

  /// Writes an ELF file of the symbols of the kernel, its modules and BPF programs to `path`.
  ///
  /// - Returns: the number of symbols.
  /// - Throws: `LocatedError` if the file cannot be written.
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
    try SymbolFile(sections: sections + modules + programs, symbols: symbols, entry: imageEntry ?? 0).write(to: path)
    return symbols.count
  }

  /// `_text`: the entry of vmlinux. (arch/arm64/kernel/vmlinux.lds.S, `ENTRY(_text)`)
  private var imageEntry: UInt64? { context.symbols.symbol(named: "_text")?.address }
}
