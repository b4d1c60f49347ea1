import KernelVA

/// The debugger commands that load the kernel's symbols at its runtime addresses.
struct DebuggerScript {
  /// The debuggers that kva knows.
  enum Debugger: String, CaseIterable { case gdb, lldb }

  /// How far KASLR moved the kernel; nil if unknown.
  private let offset: UInt64?
  /// The vmlinux given, or the debuginfo found on this machine.
  private let vmlinux: String?
  private let buildID: String?
  private let addressBits: Int

  /// - Parameter vmlinux: the path given.
  init(_ kernel: Kernel, vmlinux: String?) {
    offset = kernel.facts.kaslrOffset?.value
    self.vmlinux = vmlinux ?? kernel.debugFiles.withDWARF?.path ?? kernel.debugFiles.withSymbols?.path
    buildID = kernel.vmcoreinfo?.buildID
    addressBits = kernel.regime.addressBits
  }

  /// The command that loads `file` at the kernel's runtime address.
  private func symbols(_ debugger: Debugger, _ file: String) -> String? {
    guard let offset else { return nil }
    // Both debuggers split at blanks and accept quotes.
    let file = file.contains(" ") ? "\"\(file)\"" : file
    return switch debugger {
    case .gdb: "symbol-file -o \(hex(offset)) \(file)"
    case .lldb: "target modules add \(file)\ntarget modules load --file \(file) --slide \(hex(offset))"
    }
  }

  /// The same as advice, one line each.
  var advice: [String] {
    var lines: [String] = []
    for debugger in Debugger.allCases {
      guard let text = symbols(debugger, vmlinux ?? "vmlinux") else {
        return ["how far KASLR moved the kernel is not known: symbols of a vmlinux may be in the wrong place"]
      }
      lines.append("\(debugger.rawValue): \(text.replacing("\n", with: "; "))")
    }
    if vmlinux == nil {
      lines.append("no vmlinux of this kernel was found here; its build ID is \(buildID ?? "not in the dump")")
    }
    return lines
  }

  /// A script that connects `debugger` and loads the symbols.
  ///
  /// - Parameter connection: the debugger's own notation for the server's address.
  func text(_ debugger: Debugger, connection: String) -> String {
    let loading = vmlinux.flatMap { symbols(debugger, $0) } ?? "# no vmlinux of this kernel was found here"
    return switch debugger {
    case .gdb: "set architecture aarch64\ntarget remote \(connection)\n\(loading)\n\(unwinder)"
    case .lldb: "gdb-remote \(connection)\n\(loading)\n"
    }
  }

  /// gdb before 14 clears the bits of a pointer authentication code instead of extending the address, so a signed
  /// kernel return address ends its backtrace. This unwinder follows the frame records, as the kernel does.
  private var unwinder: String {
    """
    python
    import gdb, gdb.unwinder

    class KernelFrames(gdb.unwinder.Unwinder):
        class Identity:
            def __init__(self, sp, pc):
                self.sp, self.pc = sp, pc

        def __init__(self):
            super().__init__("kernel frame records")

        @staticmethod
        def word(address):
            memory = gdb.selected_inferior().read_memory(address, 8)
            return int.from_bytes(memory.tobytes(), "little")

        def __call__(self, frame):
            unsigned = gdb.lookup_type("unsigned long long")
            pc, fp = (int(frame.read_register(name).cast(unsigned)) for name in ("pc", "x29"))
            if pc >> 55 & 1 == 0 or fp >> 55 & 1 == 0:
                return None
            try:
                older, link = self.word(fp), self.word(fp + 8)
            except gdb.MemoryError:
                return None
            info = frame.create_unwind_info(self.Identity(gdb.Value(fp), gdb.Value(pc)))
            if link >> 55 & 1 == 0:
                # The last record: gdb stops at a frame that equals the one before.
                older, link, stack = fp, pc, int(frame.read_register("sp").cast(unsigned))
            else:
                link, stack = link | ~0 << \(addressBits) & 0xffffffffffffffff, fp + 16
            for name, value in (("x29", older), ("sp", stack), ("pc", link)):
                info.add_saved_register(name, gdb.Value(value).cast(unsigned))
            return info

    if int(gdb.VERSION.split(".")[0]) < 14:
        gdb.unwinder.register_unwinder(None, KernelFrames(), replace=True)
    end

    """
  }
}
