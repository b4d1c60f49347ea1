/// How much of what a file claims is believed, each with its reason.
///
/// Memory follows what is used, never what a field announces; these bound the loops and the few
/// allocations that follow a count in a file.
public enum Limits {
  /// Program headers of a core: a machine of 64 TiB in 1 GiB pieces has 65,536; a sixteenfold margin.
  public static let programHeaders = 1 << 20
  /// Bytes of notes, all segments together: 4,096 CPUs with vector registers of 256 bytes have 40 MiB.
  public static let noteBytes: UInt64 = 64 << 20
  /// Bytes that are copied for one look at what does not lie together in a mapped file. The largest things
  /// that are looked at as a whole, the names of kallsyms and BTF, have some 20 MiB.
  public static let readAtOnce = 64 << 20
  /// Records of a flattened file: QEMU writes one for 256 KiB, makedumpfile one for 64 KiB and more, so that
  /// 4 Mi of them are 256 GiB and more of compressed dump. Each takes 24 bytes of memory twice.
  public static let flattenedRecords = 1 << 22
  /// Bytes of a flattened file that no record wrote, all together. Writers leave none but what aligns blocks.
  public static let flattenedGaps: UInt64 = 1 << 30
  /// Holes of a file that are gone around when it is looked through: a copy without zeros has one for each run of
  /// pages of zeros, and what lies behind so many is looked through with its zeros.
  public static let fileHoles = 1 << 18
  /// Parts of a split dump: makedumpfile writes one for each process, at most a few hundred.
  public static let splitParts = 1024
  /// Ranges of a LiME file, and of the frames that a kdump file says exist: one for each range of System RAM.
  public static let memoryRanges = 1 << 20
  /// Runs of pages that are gathered before they are looked at: a dump without free and user pages has
  /// millions.
  public static let runsAtOnce = 1 << 16
  /// Counts that are kept for a bitmap of page frames, 8 bytes each: one for 1,024 frames up to 32 TiB of 4 KiB
  /// pages, fewer beyond.
  public static let bitmapCounts: UInt64 = 1 << 23
  /// Page numbers of a kdump file: 2^52 bytes of 4 KiB pages.
  public static let pageFrames: UInt64 = 1 << 40
  /// Compressed bytes of one page, as a multiple of its size: a codec adds a little to what it cannot pack.
  public static let compressedPageFactor = 2
  /// Descriptors that `info` looks through to count zero and lost pages: 256 GiB of 4 KiB pages.
  public static let countedPages: UInt64 = 1 << 26
  /// Notes read from one dump: a handful for each of 8,192 CPUs.
  public static let notes = 1 << 17
  /// NT_PRSTATUS notes kept: one for each CPU.
  public static let noteCPUs = 8192
  /// Bytes of VMCOREINFO text: the kernel gives it one page, of 64 KiB at most
  /// (`VMCOREINFO_BYTES`, include/linux/vmcore_info.h).
  public static let vmcoreinfoBytes = 64 << 10
  /// Copies of VMCOREINFO in RAM that are tried: a kernel has three, and each earlier boot may have left some.
  public static let vmcoreinfoCopies = 64
  /// Pages that are tried as the kernel's root table where nothing names it: every process has a few tables that
  /// look like one; 64 Ki processes do.
  public static let rootCandidates = 1 << 18
  /// Section headers of a vmlinux: one built with a section a function has some 100,000.
  public static let sections = 1 << 20
  /// Bytes of a section's name that are kept: those that are looked for by name have 20.
  public static let sectionName = 64
  /// Symbols of a vmlinux or of kallsyms: a debug build of an allyesconfig kernel has about a million.
  public static let symbols = 1 << 22
  /// Bytes of the names that a module has: the largest drivers have a few hundred KiB.
  public static let moduleStrings = 16 << 20
  /// Bytes of the symbol tables of all modules that are kept: each module of a distribution's kernel, all loaded,
  /// would take 20 MiB.
  public static let moduleTables = 128 << 20
  /// Places that look like the token table of kallsyms: one in every kernel seen, by chance a few more.
  public static let kallsymsAnchors = 256
  /// Bytes of the note sections of a vmlinux that are searched for its build-ID: they have some 200.
  public static let noteSectionBytes: UInt64 = 1 << 20
  /// Bytes of BTF: a distribution's kernel has 6 MiB, a debug one 20.
  public static let btfBytes = 64 << 20
  /// Elements of a list in the dump that are followed, and of lists of lists all together: tasks, modules,
  /// vmalloc areas. The kernel gives 32,768 PIDs where nothing else is configured.
  public static let listElements = 1 << 20
  /// Modules: a distribution builds some 5,000.
  public static let modules = 1 << 14
  /// Sentences about what is missing from one list; what goes on after so many is one thing.
  public static let listNotes = 64
  /// Bytes of text that are kept of the log.
  public static let logText = 64 << 20
  /// log2 of the records of the kernel's log: CONFIG_LOG_BUF_SHIFT is 25 at most, a record of 32 bytes.
  public static let logCountBits = 20
  /// NUMA nodes: NODES_SHIFT is 10 at most on arm64.
  public static let nodes = 1024
  /// CPUs whose per-CPU data are looked at: CONFIG_NR_CPUS is 512 by default, 4,096 at most on arm64.
  public static let cpus = 4096
  /// Bytes of a symbol name that are looked at (`KSYM_NAME_LEN` is 512 since 6.1).
  public static let symbolName = 1024
  /// Places that may point into the kernel's table of exported symbols.
  public static let exportPointers = 1 << 12
  /// Bytes of a structure of the kernel by VMCOREINFO, and of an offset in one: a little more than any has, so
  /// that sums of a few do not overflow.
  public static let structureBytes = 1 << 32
  /// Bytes of debug sections that are unpacked, into a file: those of a distribution's kernel are 0.2 to 1 GiB.
  public static let debugBytes: UInt64 = 4 << 30
  /// The same as a multiple of the file that they come from: compilers' output packs to a half or a fifth.
  public static let debugRatio: UInt64 = 16
  /// Compilation units of a vmlinux: a distribution's kernel has 2,000 to 5,000, an allyesconfig some 30,000.
  public static let compilationUnits = 1 << 18
  /// DWARF entries that are passed in a process to find types: a distribution's kernel has four to six million
  /// at the top of its units, and where clang made it, without siblings to go by, forty million in all.
  public static let debugEntries = 1 << 28
  /// Names of types that are remembered: a distribution's kernel has 150,000.
  public static let typeNames = 1 << 21
  /// Abbreviations of a compilation unit: a few hundred, some thousands where all was compiled in one.
  public static let abbreviations = 1 << 16
  /// Abbreviations that libdw may keep, some 60 bytes each: one for each unit and all of the few that types are in.
  public static let abbreviationsKept = 1 << 21
  /// Bytes of `.debug_aranges`, of which libdw makes four to five times as many: a distribution's kernel has 2 MiB.
  public static let addressRangeBytes = 32 << 20
  /// DWARF entries that are looked at to find one member: `task_struct` with all that it holds has some 1,000.
  public static let entriesPerMember = 1 << 18
  /// Types that are gone through from a name to a size, and structures inside structures: the kernel's longest
  /// chains are of some ten.
  public static let typeDepth = 64
  /// Bytes of one type: no structure of the kernel fills a gigabyte.
  public static let typeBytes: UInt64 = 1 << 32
  /// Address ranges of compilation units: those of a kernel with a section a function are some 100,000.
  public static let codeRanges = 1 << 21
  /// Bytes of one unit's line table: the largest drivers' have some 500 KiB, and libdw makes about 64 bytes
  /// of each.
  public static let lineTableBytes: UInt64 = 4 << 20
  /// Bytes of what a program that kva runs may print.
  public static let programOutput = 64 << 10
  /// Bytes of one query or option value read from standard input.
  public static let queryBytes = 64 << 10
  /// Bytes of one request to `batch`: ten thousand addresses at once are 200 KiB.
  public static let requestBytes = 4 << 20
  /// Arrays and objects inside one another in a request: a sound one has three.
  public static let jsonDepth = 16
  /// Commands, each with its options, that are kept parsed between requests, and user tables that are kept found.
  public static let keptParses = 256
  /// Problems that are told of one request: a thousand broken lists say no more than these.
  public static let keptProblems = 256
  /// Near names offered for an unknown symbol.
  public static let suggestions = 3
  /// Bytes that a hypervisor's tables map and that are searched: the kernel's read-only data, at most as much as
  /// an image has, and a few pages a CPU.
  public static let hypervisorBytes: UInt64 = 64 << 20
  /// Tables that one pass reads, whatever memory the dump has: 128 TiB of 4 KiB pages, each mapped twice.
  public static let sweptTables = 1 << 27
  /// Bytes of tables that are compared with each other: at 4K those for 32 GiB of vmalloc memory.
  public static let comparedTableBytes: UInt64 = 64 << 20
  /// Findings of an audit that are told apart; what goes on after so many is one thing.
  public static let auditFindings = 1 << 14
  /// Ranges of physical memory that an audit keeps to compare mappings by: device mappings and the kernel's text.
  public static let auditRanges = 1 << 18
}
