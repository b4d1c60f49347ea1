import CrashDump
import DebugInfo

/// Limits on what a kernel's memory may claim, each with its reason.
///
/// Memory follows what is used, never what a field announces; these bound the loops and the few allocations that follow
/// a count in it.
enum Limits {
  /// File descriptors of a process.
  static let openFiles = 1 << 20
  /// Resources examined on the way to a physical address, and memblock regions.
  static let resources = 1 << 16
  /// Processes whose VMAs are cached.
  static let keptAddressSpaces = 256
  /// Processes whose tables are searched for one.
  static let searchedAddressSpaces = 1 << 14
  /// Nodes of a kernel tree, such as that of a process's VMAs: sysctl vm.max_map_count is 65,530 by default.
  static let treeNodes = 1 << 20
  /// Levels of such a tree.
  static let treeDepth = 32
  /// Dentries and mounts on the way from a file to the root: a path has 4096 bytes (PATH_MAX).
  static let pathSteps = 4096
  /// Ranges of RAM in the linear map that are compared with the parts of raw memory.
  static let mappedRanges = 1 << 16
  /// Tasks whose stacks are checked for signed return addresses.
  static let signedStacks = 64
  // MARK: Discovery

  /// Bytes of VMCOREINFO text, as in a note.
  static var vmcoreinfoBytes: Int { CrashDump.Limits.vmcoreinfoBytes }
  /// The largest size of a kernel structure, or offset in one, in VMCOREINFO: more than any real one, but sums of a few
  /// do not overflow.
  static let structureBytes = 1 << 32
  /// Copies of VMCOREINFO in RAM tried: a kernel has three, and each earlier boot may have left some.
  static let vmcoreinfoCopies = 64
  /// Pages tried as the kernel's root table if nothing names it: every process has a few tables that look like one,
  /// which allows for 64 Ki processes.
  static let rootCandidates = 1 << 18
  /// Pages of raw memory tried as a table whose address is known.
  static let tablePages = 1 << 18

  // MARK: Lists

  /// Elements followed of a list in the dump, or in total of nested lists: tasks, modules, vmalloc areas. By default
  /// there are 32,768 PIDs.
  static let listElements = 1 << 20
  /// Notes on what is missing from one list; the rest are summarised in one more.
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
  /// Elements of an array in an expression.
  static let expressionElements = 1 << 20
  /// Values shown of one object: `struct net` and `struct rq` with everything in them have some 10,000.
  static let shownValues = 1 << 20
  /// Bytes of text shown for a `char *`.
  static let shownText = 256
  /// Levels of nested structures shown.
  static let shownDepth = 64

  // MARK: Objects

  /// Modules: a distribution builds some 5,000.
  static let modules = 1 << 14
  /// Bytes of a module's symbol names: the largest drivers have a few hundred KiB.
  static let moduleStrings = 16 << 20
  /// Bytes of module symbol tables kept in total: all modules of a distribution's kernel together would take 20 MiB.
  static let moduleTables = 128 << 20
  /// NUMA nodes: NODES_SHIFT is 10 at most on arm64.
  static let nodes = 1024
  /// CPUs whose per-CPU data is read: CONFIG_NR_CPUS is 512 by default, at most 4,096 on arm64.
  static let cpus = 4096

  // MARK: Pages

  /// Mappings in vmalloc space whose frames are kept: 256 GiB of 4 KiB pages.
  static let claimedPages = 1 << 26
  /// Page tables whose frames are kept.
  static let claimedTables = 1 << 22
  /// File and process names cached as owners of pages.
  static let keptOwners = 1 << 16
  /// VMAs that may map an anonymous page: one for each forked process.
  static let mappers = 1 << 12

  // MARK: Slab

  /// Slab caches: a distribution's kernel has some 300; before 5.9 each had a copy per memory cgroup.
  static let caches = 1 << 16
  /// Bytes of the name of a cache.
  static let cacheName = 128
  /// Full sheaves of a node: MAX_FULL_SHEAVES is 10.
  static let sheaves = 1 << 10
  /// Objects of a sheaf: the kernel chooses at most 60, and a cache may request another number.
  static let sheafObjects = 1 << 12
  /// Slabs on one partial list: all single-page slabs of a terabyte.
  static let partialSlabs = 1 << 28
  /// Distinct call traces of one cache.
  static let callers = 1 << 16
  /// Slabs whose free objects are cached.
  static let keptSlabs = 1 << 12

  // MARK: Log

  /// Bytes of log text kept.
  static let logText = 64 << 20
  /// log2 of the records of the kernel's log: CONFIG_LOG_BUF_SHIFT is 25 at most, a record of 32 bytes.
  static let logCountBits = 20

  // MARK: Hypervisor

  /// Bytes searched of what a hypervisor's tables map: the kernel's read-only data, at most the size of an image, and a
  /// few pages per CPU.
  static let hypervisorBytes: UInt64 = 64 << 20

  // MARK: Passes over all tables

  /// Tables read by one pass, however much memory the dump has: 128 TiB of 4 KiB pages, each mapped twice.
  static let sweptTables = 1 << 27
  /// Bytes of tables compared with each other: with 4 KiB pages, the tables of 32 GiB of vmalloc memory.
  static let comparedTableBytes: UInt64 = 64 << 20
  /// Separate findings of an audit; the rest are merged.
  static let auditFindings = 1 << 14
  /// Ranges of physical memory kept by an audit to compare mappings: device mappings and the kernel's text.
  static let auditRanges = 1 << 18

  // MARK: Triage

  /// Log messages in a triage report.
  static let triageMessages = 20
  /// Stacks in it.
  static let triageStacks = 64
  /// Notes on one part of it.
  static let triageNotes = 8
}
