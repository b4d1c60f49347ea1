import CrashDump
import DebugInfo

/// How much of what the memory of a kernel claims is believed, each with its reason.
///
/// Memory follows what is used, never what a field announces; these bound the loops and the few allocations that follow
/// a count in it.
enum Limits {
  /// File descriptors of a process.
  static let openFiles = 1 << 20
  /// Resources that are looked at on the way to a physical address, and regions of memblock.
  static let resources = 1 << 16
  /// Processes whose VMAs are kept.
  static let keptAddressSpaces = 256
  /// Processes whose tables are searched for one.
  static let searchedAddressSpaces = 1 << 14
  /// Nodes of a tree of the kernel's, such as that of a process's VMAs: sysctl vm.max_map_count is 65,530 by default.
  static let treeNodes = 1 << 20
  /// Levels of such a tree.
  static let treeDepth = 32
  /// Dentries and mounts on the way from a file to the root: a path has 4096 bytes (PATH_MAX).
  static let pathSteps = 4096
  /// Stretches of RAM in the linear map that are held against the parts of raw memory.
  static let mappedRanges = 1 << 16
  /// Tasks whose stacks are looked at for signed return addresses.
  static let signedStacks = 64
  // MARK: Discovery

  /// Bytes of VMCOREINFO text, as in a note.
  static var vmcoreinfoBytes: Int { CrashDump.Limits.vmcoreinfoBytes }
  /// Bytes of a structure of the kernel by VMCOREINFO, and of an offset in one: a little more than any has, so
  /// that sums of a few do not overflow.
  static let structureBytes = 1 << 32
  /// Copies of VMCOREINFO in RAM that are tried: a kernel has three, and each earlier boot may have left some.
  static let vmcoreinfoCopies = 64
  /// Pages that are tried as the kernel's root table where nothing names it: every process has a few tables that
  /// look like one; 64 Ki processes do.
  static let rootCandidates = 1 << 18
  /// Pages of raw memory that are tried as one table whose address is known.
  static let tablePages = 1 << 18

  // MARK: Lists

  /// Elements of a list in the dump that are followed, and of lists of lists all together: tasks, modules,
  /// vmalloc areas. The kernel gives 32,768 PIDs where nothing else is configured.
  static let listElements = 1 << 20
  /// Sentences about what is missing from one list; what goes on after so many is one thing.
  static let listNotes = 64

  // MARK: Symbols and types

  /// Symbols of a module, as of a vmlinux.
  static var symbols: Int { DebugInfo.Limits.symbols }
  /// Bytes of a symbol name, as in kallsyms.
  static var symbolName: Int { DebugInfo.Limits.symbolName }
  /// Places that look like the token table of kallsyms: one in every kernel seen, by chance a few more.
  static let kallsymsAnchors = 256
  /// Places that may point into the kernel's table of exported symbols.
  static let exportPointers = 1 << 12
  /// Near names offered for an unknown symbol.
  static let suggestions = 3
  /// Bytes of BTF, as in a debug file.
  static var btfBytes: Int { DebugInfo.Limits.btfBytes }

  // MARK: Expressions

  /// Bytes of an expression.
  static let expressionBytes = 1 << 14
  /// Levels of an expression, and operators in a row.
  static let expressionDepth = 64
  /// Elements of an array that an expression makes.
  static let expressionElements = 1 << 20
  /// Values of one object that are shown: `struct net` and `struct rq` with all that is in them have some 10,000.
  static let shownValues = 1 << 20
  /// Bytes of text that a `char *` is shown with.
  static let shownText = 256
  /// Structures inside structures that are shown.
  static let shownDepth = 64

  // MARK: Objects

  /// Modules: a distribution builds some 5,000.
  static let modules = 1 << 14
  /// Bytes of the names that a module has: the largest drivers have a few hundred KiB.
  static let moduleStrings = 16 << 20
  /// Bytes of the symbol tables of all modules that are kept: each module of a distribution's kernel, all loaded,
  /// would take 20 MiB.
  static let moduleTables = 128 << 20
  /// NUMA nodes: NODES_SHIFT is 10 at most on arm64.
  static let nodes = 1024
  /// CPUs whose per-CPU data are looked at: CONFIG_NR_CPUS is 512 by default, 4,096 at most on arm64.
  static let cpus = 4096

  // MARK: Pages

  /// Entries of vmalloc space whose frames are kept: 256 GiB of 4 KiB pages.
  static let claimedPages = 1 << 26
  /// Translation tables whose frames are kept.
  static let claimedTables = 1 << 22
  /// Files and processes whose names are kept as those of pages.
  static let keptOwners = 1 << 16
  /// VMAs that may map an anonymous page: one for each process that was forked from another.
  static let mappers = 1 << 12

  // MARK: Slab

  /// Slab caches: a distribution's kernel has some 300; with memory cgroups before 5.9 each has a copy a cgroup.
  static let caches = 1 << 16
  /// Bytes of the name of a cache.
  static let cacheName = 128
  /// Sheaves that a node keeps full: MAX_FULL_SHEAVES is 10.
  static let sheaves = 1 << 10
  /// Objects of a sheaf: the kernel's own choose 60 at most, and a cache may ask for others.
  static let sheafObjects = 1 << 12
  /// Slabs on one list of partial ones: all that a terabyte has, if each has one page.
  static let partialSlabs = 1 << 28
  /// Call traces of one cache that are told apart.
  static let callers = 1 << 16
  /// Slabs whose free objects are kept.
  static let keptSlabs = 1 << 12

  // MARK: Log

  /// Bytes of text that are kept of the log.
  static let logText = 64 << 20
  /// log2 of the records of the kernel's log: CONFIG_LOG_BUF_SHIFT is 25 at most, a record of 32 bytes.
  static let logCountBits = 20

  // MARK: Hypervisor

  /// Bytes that a hypervisor's tables map and that are searched: the kernel's read-only data, at most as much as
  /// an image has, and a few pages a CPU.
  static let hypervisorBytes: UInt64 = 64 << 20

  // MARK: Passes over all tables

  /// Tables that one pass reads, whatever memory the dump has: 128 TiB of 4 KiB pages, each mapped twice.
  static let sweptTables = 1 << 27
  /// Bytes of tables that are compared with each other: at 4K those for 32 GiB of vmalloc memory.
  static let comparedTableBytes: UInt64 = 64 << 20
  /// Findings of an audit that are told apart; what goes on after so many is one thing.
  static let auditFindings = 1 << 14
  /// Ranges of physical memory that an audit keeps to compare mappings by: device mappings and the kernel's text.
  static let auditRanges = 1 << 18

  // MARK: Triage

  /// Messages of the log in a triage report.
  static let triageMessages = 20
  /// Stacks in it.
  static let triageStacks = 64
  /// Notes on one part of it.
  static let triageNotes = 8
}
