import ArgumentParser
import Glibc
import KernelVA

/// `kva drgn`: drgn on a dump, through kva's Python module.
struct DrgnCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drgn",
    abstract: "Start drgn on a dump, without DWARF.",
    discussion: """
      drgn reads memory by kva, and takes types from the dump's BTF. It needs Python's modules kva and drgn: \
      pip install 'kva[drgn]'.

      Example: kva drgn vmcore
      Example: kva drgn vmcore -e 'print(prog.crashed_thread().stack_trace())'
      """)

  @OptionGroup(title: "Dump options") var access: AccessOptions

  @Argument(
    help: "The dump: a file, a directory of parts, PART,PART... or, for raw memory, FILE@ADDRESS,...",
    completion: .file())
  var dump: String

  @Argument(
    help: "A Python script to run instead of the prompt, and its arguments; behind -- if they begin with a dash.",
    completion: .file())
  var script: [String] = []

  @Option(name: [.customShort("e"), .customLong("exec")], help: "Run this Python code instead of the prompt.")
  var code: String?

  @Option(help: "The Python to run.", completion: .file())
  var python = "python3"

  func validate() throws {
    if code != nil, !script.isEmpty { throw ValidationError("Give either --exec or a script.") }
  }

  /// The Python program. The current directory is kept out of its module search path.
  private static let start = """
    import sys
    del sys.path[0]
    try:
        from kva.drgn.__main__ import main
    except ImportError as error:
        print(f"kva: {sys.executable}: {error}; install both modules for it: pip install 'kva[drgn]'", file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1:])
    """

  func run() throws {
    var arguments = [python, "-c", Self.start]
    if let program = ProgramReplacement.ownPath { arguments.append("--kva=\(program)") }
    if let code { arguments.append("--exec=\(code)") }
    arguments += access.words + ["--", dump] + script
    let code = ProgramReplacement.run(python, arguments)
    throw LocatedError(
      file: python, kind: .system(code),
      "\(SystemCall.reason(code)): name a Python 3.9 or later with --python, and install 'kva[drgn]' for it")
  }
}
