extension Diagnostic {
  /// What is the matter, by a name that stays the same. kva-json(5) lists the names with the comments below.
  public enum Code: String, Hashable, Sendable, CaseIterable {
    // MARK: The file

    /// The file ends before what it announces.
    case fileCutShort = "file-cut-short"
    /// makedumpfile ran out of space while it wrote the dump.
    case dumpIncomplete = "dump-incomplete"
    /// The bitmap of pages does not fit the page descriptors.
    case bitmapMismatch = "bitmap-mismatch"
    /// Program headers have one place in the file for two things.
    case segmentsOverlap = "segments-overlap"
    /// Two parts of the dump have different bytes for a physical address.
    case memoryConflict = "memory-conflict"
    /// Bytes at the end of the file belong to no range.
    case trailingBytes = "trailing-bytes"
    /// A part of a split dump was not given.
    case partMissing = "part-missing"
    /// The address of raw memory was guessed.
    case addressGuessed = "address-guessed"
    /// A part of raw memory seems to be given at a wrong address.
    case partMisplaced = "part-misplaced"
    /// The file is a program, a vmlinux or an object file.
    case notADump = "not-a-dump"

    // MARK: The kernel

    /// There is no VMCOREINFO note.
    case vmcoreinfoMissing = "vmcoreinfo-missing"
    /// VMCOREINFO lacks lines that are needed.
    case vmcoreinfoIncomplete = "vmcoreinfo-incomplete"
    /// The page tables contradict VMCOREINFO.
    case vmcoreinfoRefuted = "vmcoreinfo-refuted"
    /// A line of VMCOREINFO has a value that no kernel writes; it is ignored.
    case vmcoreinfoLine = "vmcoreinfo-line-ignored"
    /// Several kernels in the dump fit equally well.
    case kernelAmbiguous = "kernel-ambiguous"
    /// Several root tables fit equally well.
    case rootAmbiguous = "root-table-ambiguous"
    /// The search for root tables was given up.
    case searchCutShort = "search-cut-short"
    /// The page tables do not confirm where the kernel is.
    case kernelUnconfirmed = "kernel-unconfirmed"
    /// A fact that was given contradicts the dump.
    case overrideContradicted = "override-contradicted"
    /// Two facts in the dump contradict each other.
    case contradiction = "contradiction"
    /// The vmlinux is not that of the dump.
    case vmlinuxMismatch = "vmlinux-mismatch"
    /// A vmlinux that is not that of the dump is used all the same.
    case vmlinuxForced = "vmlinux-forced"
    /// The vmlinux has no symbols.
    case vmlinuxWithoutSymbols = "vmlinux-without-symbols"

    // MARK: What the kernel keeps

    /// A symbol that is needed is unknown.
    case symbolUnknown = "symbol-unknown"
    /// A symbol does not lead to what it names.
    case symbolWrong = "symbol-wrong"
    /// A type that is needed is unknown.
    case typeUnknown = "type-unknown"
    /// Types were left out of a header: there are too many, or they need each other in too long a chain.
    case typesOmitted = "types-omitted"
    /// No declaration in C gives the members of the type their places.
    case typeOpaque = "type-opaque"
    /// No kallsyms was found.
    case kallsymsMissing = "kallsyms-missing"
    /// kallsyms is damaged.
    case kallsymsDamaged = "kallsyms-damaged"
    /// An object of the kernel is not in the dump, or is damaged.
    case objectUnreadable = "object-unreadable"
    /// A list of the kernel breaks off, or does not end.
    case listBroken = "list-broken"
    /// A list has more or fewer elements than the kernel counts.
    case countDiffers = "count-differs"
    /// A slab is damaged.
    case slabDamaged = "slab-damaged"
    /// The kernel's slab allocator is SLOB.
    case slabUnsupported = "slab-unsupported"
    /// The kernel does not keep who asked for the objects of a cache.
    case notTracked = "not-tracked"
    /// Whether an object of a slab is allocated is unknown.
    case allocationUnknown = "allocation-unknown"
    /// An allocation of kmalloc has pages of its own.
    case largeKmalloc = "large-kmalloc"
    /// The log is not in the dump, or is damaged.
    case logUnreadable = "log-unreadable"
    /// The log breaks off at a damaged record.
    case logBroken = "log-broken"
    /// The log has more text than is kept.
    case logCutShort = "log-cut-short"
    /// Messages of the log cannot be read.
    case messagesUnreadable = "messages-unreadable"
    /// Only the first thread of each process is listed.
    case threadsUnlisted = "threads-unlisted"
    /// There are more notes of the same kind.
    case notesOmitted = "notes-omitted"
    /// The log shows no crash.
    case noCrash = "no-crash"
    /// Neither the log nor a stack shows a fault.
    case noFault = "no-fault"
    /// The taint is unknown.
    case taintUnknown = "taint-unknown"
    /// ESR_EL1 is unknown.
    case esrUnknown = "esr-unknown"
    /// The log and the stack have different registers.
    case registersDiffer = "registers-differ"
    /// The hypervisor's tables were not found.
    case hypervisorUnknown = "hypervisor-unknown"
    /// The kernel runs at EL2, where nothing further is mapped.
    case kernelAtEL2 = "kernel-at-el2"
    /// Nothing of the kernel runs at EL2.
    case hypervisorUnused = "hypervisor-unused"
    /// The layout of the address space is unknown.
    case layoutUnknown = "layout-unknown"
    /// An audit could not check something.
    case notChecked = "not-checked"

    // MARK: Queries

    /// The query is malformed.
    case queryMalformed = "query-malformed"
    /// No symbol has the name.
    case noSuchSymbol = "no-such-symbol"
    /// No symbol has the name, but others have one like it.
    case symbolMisspelled = "symbol-misspelled"
    /// No type has the name.
    case noSuchType = "no-such-type"
    /// The type has no member at the offset.
    case noSuchMember = "no-such-member"
    /// The name of a type, or an expression, has no value.
    case expressionInvalid = "expression-invalid"
    /// No slab cache has the name.
    case noSuchCache = "no-such-cache"
    /// No module of the name is loaded.
    case noSuchModule = "no-such-module"
    /// There is no such CPU.
    case noSuchCPU = "no-such-cpu"
    /// There is no such register.
    case noSuchRegister = "no-such-register"
    /// Nothing of a list is as asked for.
    case noneMatches = "none-matches"
    /// No memory holds what was searched for.
    case notFound = "not-found"
    /// More memory matches than is shown.
    case matchesOmitted = "matches-omitted"
    /// Memory was not searched: it is not in the dump, or the search was ended.
    case notSearched = "not-searched"
    /// There is no such task.
    case noSuchTask = "no-such-task"
    /// The kernel has no such region.
    case noSuchRegion = "no-such-region"
    /// The symbol is a per-CPU variable, and the query names no CPU.
    case perCPUVariable = "per-cpu-variable"
    /// The symbol is no per-CPU variable, and the query names a CPU.
    case notPerCPU = "not-per-cpu"
    /// The dump has no registers of the CPU.
    case registersMissing = "registers-missing"
    /// The task of a CPU is unknown.
    case taskUnknown = "task-unknown"
    /// The task is a kernel thread, which has no user space.
    case kernelThread = "kernel-thread"
    /// No root table is at the address.
    case noRootTable = "no-root-table"
    /// The root table of a user space cannot be found.
    case userTablesUnknown = "user-tables-unknown"
    /// The address is one of user space, and nothing says whose.
    case userAddress = "user-address"
    /// The address has no counterpart at EL2.
    case noHypervisorAddress = "no-hypervisor-address"
    /// A physical address was expected.
    case notPhysical = "not-physical"
    /// The range goes beyond the end of the address space.
    case rangeWraps = "range-wraps"

    // MARK: Walks

    /// Bits above the width of the tables differ from bit 55.
    case notCanonical = "not-canonical"
    /// The address is the KASAN shadow of what is no kernel address.
    case shadowAccess = "kasan-shadow-access"
    /// The entry is invalid: nothing is mapped.
    case entryInvalid = "entry-invalid"
    /// The kernel has unmapped the linear alias of its data.
    case dataAliasUnmapped = "data-alias-unmapped"
    /// A table of the walk is not in the dump.
    case tableUnreadable = "table-unreadable"
    /// The entry has a reserved encoding.
    case reservedEncoding = "reserved-encoding"
    /// The entry points beyond the width of physical addresses.
    case addressOutOfRange = "address-out-of-range"
    /// No virtual address maps the physical one.
    case notMapped = "not-mapped"

    // MARK: Pages

    /// No memory was dumped at the address.
    case pageNotInDump = "page-not-in-dump"
    /// The page was filtered out of the dump.
    case pageFiltered = "page-filtered"
    /// The page is beyond the end of the file.
    case pageCutOff = "page-cut-off"
    /// The page was lost when the dump was written.
    case pageLost = "page-lost"
    /// The file cannot be read there.
    case pageUnreadable = "page-unreadable"
    /// The page cannot be decompressed.
    case pageDamaged = "page-damaged"
    /// The page is in a part of the split dump that was not given.
    case pageInMissingPart = "page-in-missing-part"
    /// Several pages cannot be read.
    case pagesMissing = "pages-missing"

    // MARK: Doubts

    /// Linux never writes the entry.
    case oddEntry = "odd-entry"
    /// The table has an entry that Linux never writes there.
    case oddNeighbour = "odd-neighbour"
    /// The tables lead to themselves.
    case tableLoop = "table-loop"
    /// The kernel's arithmetic has another address.
    case arithmeticDiffers = "arithmetic-differs"
    /// It is mapped as memory beyond the end of RAM.
    case beyondRAM = "beyond-ram"
    /// The kernel maps nothing in this region.
    case unexpectedMapping = "unexpected-mapping"
    /// A block of this size is unusual for the width.
    case unusualBlock = "unusual-block"
    /// A table has the contents of another.
    case duplicateTable = "duplicate-table"
    /// Something is mapped here on every machine.
    case mappingMissing = "mapping-missing"
    /// The table is empty.
    case emptyTable = "empty-table"
    /// The linear map does not have the root table.
    case rootUnmapped = "root-table-unmapped"
    /// A pass over all tables was given up.
    case passCutShort = "pass-cut-short"

    // MARK: Stacks

    /// The program counter is not in executable memory.
    case pcNotExecutable = "pc-not-executable"
    /// A frame pointer is not aligned.
    case frameMisaligned = "frame-misaligned"
    /// A frame pointer does not rise above the one before.
    case frameNotRising = "frame-not-rising"
    /// A frame pointer is on no stack, or on one that was left.
    case frameOffStack = "frame-off-stack"
    /// A frame record is not in the dump.
    case frameUnreadable = "frame-unreadable"
    /// A frame record returns to what is not executable, or to where no call is.
    case returnNotExecutable = "return-not-executable"
    /// A frame record is of an unknown type.
    case frameTypeUnknown = "frame-type-unknown"
    /// The chain ends before the top of the stack.
    case chainEndsEarly = "chain-ends-early"
    /// The chain has too many frames.
    case tooManyFrames = "too-many-frames"
    /// The shadow call stack is damaged.
    case shadowDamaged = "shadow-stack-damaged"
    /// The frame records are damaged, by the shadow call stack.
    case framesDamaged = "frame-records-damaged"
    /// The frame records or the shadow call stack are damaged.
    case stacksDiffer = "stacks-differ"
    /// The task has ended.
    case taskEnded = "task-ended"
  }
}
