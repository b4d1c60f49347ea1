import Bytes
import DebugInfo
import VMSA

/// The notes of a process's core.
struct ProcessNotes {
  /// A thread and its user-space registers.
  struct Thread {
    var task: KernelTask
    var registers: SavedRegisters
    /// TPIDR_EL0, the thread pointer; nil if unknown.
    var threadPointer: UInt64?
  }

  /// The threads; debuggers show the first one first.
  let threads: [Thread]
  let mappings: [UserMapping]
  /// The auxiliary vector, pairs of words with AT_NULL last; empty if unknown.
  let auxiliaryVector: [UInt64]
  /// The addresses of its arguments.
  let arguments: Range<UInt64>
  let pageSize: UInt64
  /// The width of its addresses.
  let addressBits: Int

  /// - Parameter mm: the `struct mm_struct` of the process.
  init(
    _ context: KernelContext, _ threads: [Thread], mm: UInt64, _ mappings: [UserMapping], _ tables: TranslationRegime
  ) {
    let types = context.types.value
    let object = StructView(space: context.memory, address: mm)
    self.threads = threads
    self.mappings = mappings
    auxiliaryVector = Self.auxiliaryVector(object, types)
    let start = object.number(types.member("arg_start", of: "mm_struct")) ?? 0
    let end = object.number(types.member("arg_end", of: "mm_struct")) ?? 0
    arguments = start < end ? start..<end : 0..<0
    pageSize = context.regime.granule.size
    addressBits = tables.addressBits
  }

  /// `saved_auxv`, which AT_NULL ends. (AT_VECTOR_SIZE is about 50 words.)
  private static func auxiliaryVector(_ object: StructView, _ types: KernelTypes) -> [UInt64] {
    guard let start = object.address(of: types.member("saved_auxv", of: "mm_struct")) else { return [] }
    var words: [UInt64] = []
    while words.count < 128, let key = object.space.word(at: start &+ UInt64(8 * words.count)),
      let value = object.space.word(at: start &+ UInt64(8 * words.count + 8))
    {
      words += [key, value]
      if key == 0 { return words }
    }
    return []
  }

  /// Types of notes. (include/uapi/linux/elf.h)
  private enum Kind {
    static let status: UInt32 = 1
    static let process: UInt32 = 3
    static let auxiliaryVector: UInt32 = 6
    static let threadPointer: UInt32 = 0x401
    static let pointerAuthentication: UInt32 = 0x406
    static let files: UInt32 = 0x4649_4c45
  }

  /// HWCAP_PACA and AT_HWCAP.
  private var signsPointers: Bool {
    stride(from: 0, to: auxiliaryVector.count - 1, by: 2).contains {
      auxiliaryVector[$0] == 16 && auxiliaryVector[$0 + 1] >> 30 & 1 == 1
    }
  }

  /// The contents of PT_NOTE, in the kernel's order.
  func bytes(_ pages: ProcessPages) -> [UInt8] {
    var writer = ELFWriter()
    for (number, thread) in threads.enumerated() {
      let status = CoreNotes.status(
        id: thread.task.pid, parent: thread.task.parent ?? 0, TaskRegisters(thread.registers))
      writer.note(name: "CORE", type: Kind.status, status)
      if number == 0 {
        writer.note(name: "CORE", type: Kind.process, process(thread.task, pages))
        if !auxiliaryVector.isEmpty {
          writer.note(name: "CORE", type: Kind.auxiliaryVector, ELFWriter.words(auxiliaryVector))
        }
        writer.note(name: "CORE", type: Kind.files, files)
      }
      if let pointer = thread.threadPointer {
        writer.note(name: "LINUX", type: Kind.threadPointer, ELFWriter.words([pointer]))
      }
      if signsPointers {
        let mask: UInt64 = ~0 << UInt64(addressBits) & (1 << 55 - 1)
        writer.note(name: "LINUX", type: Kind.pointerAuthentication, ELFWriter.words([mask, mask]))
      }
    }
    return writer.bytes
  }

  /// `struct elf_prpsinfo`: 136 bytes, pr_uid at 16, pr_pid at 24, pr_fname at 40, pr_psargs at 56.
  /// (include/linux/elfcore.h)
  private func process(_ task: KernelTask, _ pages: ProcessPages) -> [UInt8] {
    var info = [UInt8](repeating: 0, count: 136)
    func put(_ value: Int, at offset: Int) {
      for index in 0..<4 { info[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
    }
    func put(_ text: some Sequence<UInt8>, at offset: Int, room: Int) {
      for (index, byte) in text.prefix(room - 1).enumerated() { info[offset + index] = byte }
    }
    if let letter = task.state.utf8.first {
      info[0] = UInt8("RSDTtXZP".utf8.enumerated().first { $0.element == letter }?.offset ?? 0)
      info[1] = letter
    }
    put(Int(task.user ?? 0), at: 16)
    put(task.tgid, at: 24)
    put(task.parent ?? 0, at: 28)
    put(task.comm.utf8, at: 40, room: 16)
    let count = Int(min(79, arguments.upperBound - arguments.lowerBound))
    let text = pages.bytes(at: arguments.lowerBound, count: count) ?? Array(task.comm.utf8)
    // NULs between arguments become blanks.
    let last = text.lastIndex { $0 != 0 } ?? -1
    put(text.prefix(last + 1).map { $0 == 0 ? 0x20 : $0 }, at: 56, room: 80)
    return info
  }

  /// The descriptor of NT_FILE: the count, the unit of offsets, three words per file, then the names. (fs/binfmt_elf.c,
  /// `fill_files_note`)
  private var files: [UInt8] {
    let mapped = mappings.filter { $0.file != nil && $0.name != nil }
    var words = [UInt64(mapped.count), pageSize]
    var names: [UInt8] = []
    for mapping in mapped {
      words += [mapping.start, mapping.end, mapping.offset / pageSize]
      names += (mapping.name ?? "").utf8.filter { $0 != 0 } + [0]
    }
    return ELFWriter.words(words) + names
  }
}

extension KernelContext {
  /// TPIDR_EL0 of `task` when it last went to sleep; nil if unknown. (`struct thread_struct`,
  /// arch/arm64/include/asm/processor.h)
  func threadPointer(of task: KernelTask) -> UInt64? {
    StructView(space: memory, address: task.structure).number(
      types.value.member("thread.uw.tp_value", of: "task_struct"))
  }
}
