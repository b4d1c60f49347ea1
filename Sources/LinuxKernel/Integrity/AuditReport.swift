import Bytes
import KernelLayout
import VMSA

/// Something in the tables that no healthy kernel has.
public struct Finding: Sendable {
  /// What it is, by a name that stays the same.
  public enum Code: String, Sendable, CaseIterable {
    /// Mapped so that the kernel may write and execute it.
    case writableExecutable = "writable-executable"
    /// In the kernel's half, and EL0 may execute it: UXN is clear.
    case userExecutable = "user-executable"
    /// In the kernel's half, and EL0 may read it.
    case userAccessible = "user-accessible"
    /// Frames of the kernel's text or read-only data that are mapped writable.
    case textWritable = "text-writable"
    /// One frame mapped with memory types that exclude each other.
    case memoryTypeConflict = "memory-type-conflict"
    /// An entry whose bits 1:0 mean nothing at its level.
    case reservedEncoding = "reserved-encoding"
    /// An entry that points beyond the physical addresses of this machine.
    case addressOutOfRange = "address-out-of-range"
    /// Normal memory mapped where there is no RAM.
    case outsideRAM = "outside-ram"
    /// A table where there is no RAM.
    case tableOutsideRAM = "table-outside-ram"
    /// A table on a page that the dump marks free.
    case tableFree = "table-free"
    /// A table that cannot be read from the dump, so that what is below it is not audited.
    case tableUnreadable = "table-unreadable"
    /// One table used at two levels; a loop among them.
    case tableAtTwoLevels = "table-at-two-levels"
    /// One table used at two places of a level.
    case tableShared = "table-shared"
    /// Entries with the Contiguous bit whose group is not complete, in order and alike.
    case contiguousBroken = "contiguous-broken"
    /// The linear map leads elsewhere than arithmetic.
    case linearMapDiffers = "linear-map-differs"
    /// The kernel image is mapped elsewhere than arithmetic says.
    case imageDiffers = "image-differs"
    /// The pass was given up: tables are used again and again.
    case cutShort = "cut-short"

    /// How bad it is.
    package var severity: Severity {
      switch self {
      case .writableExecutable, .userExecutable, .userAccessible, .textWritable, .tableAtTwoLevels, .tableFree,
        .tableOutsideRAM, .reservedEncoding, .addressOutOfRange, .linearMapDiffers, .imageDiffers:
        .high
      case .memoryTypeConflict, .outsideRAM, .tableShared, .contiguousBroken: .medium
      case .tableUnreadable, .cutShort: .low
      }
    }
  }

  /// How bad a finding is.
  public enum Severity: String, Sendable {
    /// A way into the kernel, or tables that are not what they were.
    case high
    /// What may lose data or stop the machine.
    case medium
    /// The dump does not let the audit see.
    case low
  }

  /// An entry that proves a finding.
  public struct Proof: Hashable, Sendable {
    /// The virtual address that it was reached by.
    public let virtual: VirtualAddress
    /// The entry.
    public let step: WalkStep
  }

  /// What it is.
  public let code: Code
  /// The first address that it is about.
  public let first: UInt64
  /// The last address that it is about: what goes on over neighbouring entries is one finding.
  public internal(set) var last: UInt64
  /// The region that it begins in; nil if the layout is not known.
  public let region: Region?
  /// What is wrong, with its likely cause, in one line.
  public let message: String
  /// The entries that prove it: those of the walk that leads to the first address, and of the other address where
  /// it takes two.
  public let proofs: [Proof]

  /// How bad it is.
  public var severity: Severity { code.severity }
}

/// Something odd that healthy kernels do.
package struct KnownOddity: Sendable {
  /// What it is, by a name that stays the same.
  package enum Code: String, Sendable, CaseIterable {
    /// The linear map has read-only pages: the kernel's text and, with rodata=full, that of modules.
    case linearReadOnly = "linear-read-only"
    /// Entries of the linear map that are there but not valid: a loaded crash kernel, secret memory, pages
    /// that debug_pagealloc took away.
    case linearInvalid = "linear-invalid"
    /// The linear map has the kernel's data and bss read-only, as 7.2 does.
    case dataAliasReadOnly = "data-alias-read-only"
    /// Entries of the linear map for the kernel's data and bss are there but not valid, as 7.3 has it
    /// (`mark_linear_data_alias_valid`, arch/arm64/mm/mmu.c).
    case dataAliasUnmapped = "data-alias-unmapped"
    /// RAM without a linear mapping: firmware's memory (NOMAP), memory kept from the kernel.
    case linearUnmapped = "linear-unmapped"
    /// Parts of the image that are not mapped: what stood before `_stext`, init code that was freed.
    case imageUnmapped = "image-unmapped"
    /// Frames that no dumped range holds, between ranges that are dumped: reserved memory.
    case reservedMemory = "reserved-memory"
    /// Tables that KASAN uses for all of the shadow that it does not need.
    case sharedShadow = "kasan-shared-tables"
    /// A buffer that a device sees without caches, mapped once more in vmalloc (`dma_alloc_coherent`).
    case uncachedBuffer = "uncached-buffer"

    /// What to say of an address in the linear map that 7.3 unmaps.
    static let unmappedDataAlias = "linear alias of kernel data: unmapped by this kernel"

    /// Its name in words.
    package var words: String {
      switch self {
      case .linearReadOnly: "read-only in the linear map: text and read-only data of the kernel, modules and BPF"
      case .linearInvalid: "present but not valid in the linear map: a crash kernel's image, or memory set aside"
      case .dataAliasReadOnly: "linear alias of kernel data: read-only in this kernel"
      case .dataAliasUnmapped: Self.unmappedDataAlias
      case .linearUnmapped: "RAM without a linear mapping: firmware's, or kept from the kernel"
      case .imageUnmapped: "not mapped within the kernel image: what is before _stext, freed init code"
      case .reservedMemory: "mapped memory that was not dumped, between ranges that were: reserved memory"
      case .sharedShadow: "shadow of KASAN that one table stands for again and again"
      case .uncachedBuffer: "mapped without caches in vmalloc, and with them in the linear map: a device's buffer"
      }
    }
  }

  /// What it is.
  package let code: Code
  /// Where it begins first.
  package let first: UInt64
  /// Bytes, all places together.
  package let bytes: UInt64
  /// How many ranges.
  package let count: Int
}

/// What an audit of the tables came to.
public struct AuditReport: Sendable {
  /// The findings, in the order in which the pass came to them.
  public internal(set) var findings: [Finding] = []
  /// What is odd but healthy, each kind once.
  package internal(set) var oddities: [KnownOddity] = []
  /// What could not be checked, and why.
  public internal(set) var unchecked: [Diagnostic] = []
  /// Tables read.
  public internal(set) var tables = 0
}
