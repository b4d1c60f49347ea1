/// A change of the kernel that kva depends on: one row each, and versions are compared nowhere else.
///
/// Distributions and stable trees backport, so a version is the last resort. Each row names the probe that is tried
/// before it; `none` if nothing in a dump shows the change.
package struct KernelChange: Hashable, Sendable {
  /// The first version that has it.
  package let since: KernelVersion
  /// The commit that made it, where it is known.
  package let commit: String?
  /// The subject of the commit, where it is known.
  package let subject: String?

  /// Describes a change.
  package init(_ major: Int, _ minor: Int, _ commit: String? = nil, _ subject: String? = nil) {
    since = KernelVersion(major, minor)
    self.commit = commit
    self.subject = subject
  }
}

extension KernelVersion {
  /// Whether this version has `change`.
  package func has(_ change: KernelChange) -> Bool { self >= change.since }
}

// MARK: - Widths and the linear map

extension KernelChange {
  /// 52 bits for the kernel's half, with 64 KiB pages.
  /// Probe: none, it bounds what `kva layout` accepts.
  package static let wideAddresses64K = Self(5, 4, "b6d00d47e81a")
  /// 52 bits with 4 and 16 KiB pages (LPA2).
  /// Probe: none, it bounds what `kva layout` accepts.
  package static let wideAddresses = Self(6, 9)
  /// `memstart_addr` alone describes the linear map. In 5.4 to 5.9 `physvirt_offset` and `vmemmap` are variables that
  /// are computed before memstart_addr is clipped and randomised, so PHYS_OFFSET does not fit them.
  /// Probe: the layout's era; only that of 5.4 has both.
  package static let memstartDescribesLinearMap = Self(5, 10, "7bc1a0f9e176")
}

// MARK: - The image and its tables

extension KernelChange {
  /// The image has addresses of its own, at KIMAGE_VADDR.
  /// Probe: none, older kernels are not read.
  package static let imageOutsideLinearMap = Self(4, 6, "a7f8de168ace")
  /// ASIDs are in TTBR1_EL1 (TCR_EL1.A1).
  /// Probe: none.
  package static let asidInTTBR1 = Self(4, 16, "7655abb95386", "arm64: mm: Move ASID from TTBR0 to TTBR1")
  /// `swapper_pg_dir` follows the read-only data; before, it followed bss. Probe: the layout's era, whose first version
  /// is compared.
  package static let rootTableBehindReadOnlyData = Self(
    4, 20, "8eb7e28d4c64", "arm64/mm: move runtime pgds to rodata")
  /// The image begins at KIMAGE_VADDR, not TEXT_OFFSET (512 KiB) above it. Probe: none; KERNELOFFSET is computed by it
  /// where no VMCOREINFO says it.
  package static let noTextOffset = Self(5, 10, "120dc60d0bdb")
  /// `_stext` is SEGMENT_ALIGN (64 KiB) above `_text`, not the 4 KiB of the header. Probe: the symbol `_text`.
  package static let alignedTextSegment = Self(5, 10)
  /// `reserved_pg_dir` precedes `swapper_pg_dir`. Probe: OFFSET(uts_namespace.name) in VMCOREINFO, which came in the
  /// same version (ca4a9241cc5e).
  package static let reservedTable = Self(5, 11)
}

// MARK: - Memory types

extension KernelChange {
  /// MAIR_EL1 has normal memory first.
  /// Probe: AttrIndx of the kernel's text must be of normal memory by the row that is taken.
  package static let normalMemoryFirst = Self(5, 10)
  /// MAIR_EL1 no longer has write-through and GRE memory. Probe: none.
  package static let fewerMemoryTypes = Self(5, 14)
}

// MARK: - Entries of pages that are not present

extension KernelChange {
  /// Swap entries have types of five bits, and bit 2 says exclusive; migration has a third type (6c287605fd56), and
  /// pages that could not be read back from swap have one (9f186f9e5fa9). Probe: SYMBOL(kallsyms_names) in VMCOREINFO,
  /// which is 6.0.
  package static let exclusiveSwapEntries = Self(5, 19, "6c287605fd56")
  /// Every kernel has markers, which also stand for pages that could not be read back from swap (ca92ea3dc5a2). Probe:
  /// none.
  package static let swapErrorsAreMarkers = Self(6, 2, "15520a3f0469", "mm: use pte markers for swap errors")
  /// PTE_PRESENT_INVALID: PROT_NONE and swap entries share bit 11.
  /// Probe: NUMBER(PAGE_SLAB_MAPCOUNT_VALUE) in VMCOREINFO, which took the place of NUMBER(PG_slab).
  package static let presentInvalidEntries = Self(6, 10)
  /// Pages with device-exclusive access have swap types of their own, two at first. Probe: the functions
  /// make_device_exclusive_range and, from 6.15 on, make_device_exclusive.
  package static let deviceExclusivePages = Self(5, 14, "b756a3b5e7ea")
}

// MARK: - Pages

extension KernelChange {
  /// `struct page` has one word for its memory cgroup, and pages of the kernel no type for it.
  /// Probe: the members memcg_data and mem_cgroup of struct page.
  package static let memcgDataInPages = Self(
    5, 11, "18b2db3b0385", "mm: Convert page kmemcg type to a page memcg flag")
  /// The type of a page is a number in the top byte of the word that `_mapcount` shares.
  /// Probe: the enumerators PGTY_ of pagetype.
  package static let numberedPageTypes = Self(6, 12)
}

// MARK: - VMAs

extension KernelChange {
  /// A VMA is the heap only if it overlaps it; before, if it touches it.
  /// Probe: none.
  package static let heapMustOverlap = Self(6, 8)
  /// VM_ARM64_BTI is bit 24.
  /// Probe: none.
  package static let guardedPages = Self(5, 8, "8ef8f360cf30")
  /// VM_DENYWRITE is gone. Probe: none.
  package static let noDeniedWrites = Self(5, 15, "8d0920bde5eb", "mm: remove VM_DENYWRITE")
  /// Bits 32 to 34 of vm_flags are a protection key, and those of MTE moved to 36 and 37.
  /// Probe: none.
  package static let protectionKeys = Self(6, 12)
  /// VM_SHADOW_STACK (GCS) is bit 38, and VM_UFFD_MINOR moved to 41.
  /// Probe: none.
  package static let shadowStackVMAs = Self(6, 13)
  /// VM_MAYBE_GUARD is bit 11, and VM_SEALED moved to 42.
  /// Probe: none.
  package static let guardedVMAs = Self(6, 19)
}

// MARK: - Stacks

extension KernelChange {
  /// `struct pt_regs` ends with lockdep_hardirqs and exit_rcu, 336 bytes in all.
  /// Probe: the type itself.
  package static let exceptionStateInRegisters = Self(5, 10)
  /// The chain of frame records of every task ends in `pt_regs.stackframe`; before, that of an idle task ended where its
  /// first function had found x29 and x30 zero.
  /// Probe: none.
  package static let finalFrameRecord = Self(
    5, 14, "7d7b720a4b80", "arm64: Implement stack trace termination record")
  /// The frame records of exceptions and of the end of a chain have a type.
  /// Probe: the type frame_record_meta.
  package static let markedFrameRecords = Self(6, 13, "c2c6b27b5aa1")
}

// MARK: - Realms

extension KernelChange {
  /// A Realm marks the memory that it shares by the top bit of its addresses, `prot_ns_shared`.
  /// Probe: the variable, which is 0 elsewhere.
  package static let realmSharedPages = Self(6, 13)
}

// MARK: - Software bits of entries

extension KernelChange {
  /// PTE_DEVMAP, bit 57.
  /// Probe: none.
  package static let devmapEntries = Self(5, 3)
  /// PTE_DEVMAP is gone; bit 57 has no meaning. Probe: none.
  package static let noDevmapEntries = Self(6, 17)
  /// PTE_UFFD_WP, bit 58 of a valid entry.
  /// Probe: none.
  package static let userfaultEntries = Self(6, 10)
}

// MARK: - kernel_page_tables in debugfs

/// The wording of a kernel's listing cannot be probed: no dump contains it.
extension KernelChange {
  /// The markers are spelled "vmalloc() area" and "Linear mapping"; they had capitals before.
  package static let listingInLowerCase = Self(5, 0)
  /// Holes have lines of their own, from the generic walker.
  package static let listingShowsHoles = Self(
    5, 7, "102f45fdbe14", "arm64: mm: convert mm/dump.c to use walk_page_range()")
  /// The BPF region has markers, as long as it exists.
  package static let listingMarksBPF = Self(5, 8)
  /// GP is shown.
  package static let listingShowsGuarded = Self(5, 8)
  /// The listing no longer begins at address 0, with its first marker left out (`ptdump_walk`): 5.17 at the latest.
  package static let listingBeginsAtBase = Self(5, 17)
  /// There is no BPF region to mark.
  package static let noBPFRegion = Self(5, 17, "b89ddf4cca43")
  /// The fixmap has four pages for the trampoline, two before.
  package static let longerTrampoline = Self(5, 17)
  /// The fixmap is marked from FIXADDR_TOT_START on, with the slots for booting.
  package static let listingMarksWholeFixmap = Self(6, 5)
  /// BLK is shown for 01 in bits 1:0 alone, no longer for entries that are not valid.
  package static let listingShowsBlocksByType = Self(6, 15)
  /// The fixmap has a slot for each possible CPU, and one more, if the kernel has KVM. Probe: the trampoline's slot,
  /// which follows them.
  package static let nestedFixmap = Self(
    6, 16, nil, "KVM: arm64: nv: Handle mapping of VNCR_EL2 at EL2")
  /// Each of the fixmap's seven slots for booting has a page more. 6.12.y has it, too, since 6.12.117 at the latest.
  package static let longerEarlyMappings = Self(7, 3)
  /// The listing begins at the first address of the width in use, and so does its vmemmap.
  /// Probe: the layout's era, whose first version is compared.
  package static let listingOfWidthInUse = Self(6, 9)
}
