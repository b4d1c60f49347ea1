/// Limits on what a dump may claim, each with its reason.
///
/// Memory follows what is used, never what a field announces; these bound the loops and the few allocations that follow
/// a count in the dump.
package enum Limits {
  // MARK: Notes

  /// Bytes of notes, all segments together: 4,096 CPUs with vector registers of 256 bytes have 40 MiB.
  static let noteBytes: UInt64 = 64 << 20
  /// Notes read from one dump: a handful for each of 8,192 CPUs.
  static let notes = 1 << 17
  /// Device dumps that are listed: a few machines have one for each network card.
  static let deviceDumps = 1024
  /// Bytes of the list of what makedumpfile erased: a line for each symbol or member of its configuration.
  static let eraseInfoBytes = 1 << 20
  /// Bytes of the list of what kva left out: a few lines.
  static let omissionBytes = 4096
  /// NT_PRSTATUS notes kept: one for each CPU.
  static let noteCPUs = 8192
  /// Bytes of VMCOREINFO text: the kernel gives it one page, of 64 KiB at most
  /// (`VMCOREINFO_BYTES`, include/linux/vmcore_info.h).
  package static let vmcoreinfoBytes = 64 << 10

  // MARK: ELF

  /// Program headers of a core: a machine of 64 TiB in 1 GiB pieces has 65,536; a sixteenfold margin.
  static let programHeaders = 1 << 20

  // MARK: Kdump

  /// Page numbers of a kdump file: 2^52 bytes of 4 KiB pages.
  static let pageFrames: UInt64 = 1 << 40
  /// Counts kept for a bitmap of page frames, 8 bytes each: one for 1,024 frames up to 32 TiB of 4 KiB pages, fewer
  /// beyond.
  static let bitmapCounts: UInt64 = 1 << 23
  /// Descriptors that `info` scans to count zero and lost pages: 256 GiB of 4 KiB pages.
  static let countedPages: UInt64 = 1 << 26
  /// Compressed bytes of one page, as a multiple of its size: a codec adds a little to what it cannot compress.
  static let compressedPageFactor = 2
  /// Runs of pages gathered before they are scanned: a dump without free and user pages has millions.
  static let runsAtOnce = 1 << 16
  /// Parts of a split dump: makedumpfile writes one for each process, at most a few hundred.
  static let splitParts = 1024

  // MARK: Memory described twice

  /// Overlaps of two parts that are compared.
  static let overlaps = 256
  /// Bytes compared of parts that should not overlap: those of raw memory and LiME.
  static let comparedBytes: UInt64 = 256 << 20
  /// Bytes compared of an ELF core, in which the kernel's text is described twice: about every tenth page, so that
  /// opening a core is cheap. Smaller differences may go unnoticed.
  static let comparedCoreBytes: UInt64 = 4 << 20

  // MARK: Kdump and LiME

  /// Ranges of a LiME file, and of the frames that a kdump file says exist: one for each range of System RAM.
  static let memoryRanges = 1 << 20

  // MARK: Packed files

  /// Pieces of a file that is packed in pieces: 64 KiB each in 1 TiB.
  static let packedPieces = 1 << 24
  /// Bytes of a deflate stream between two places where reading may begin: a block of LiME's has half a mebibyte.
  static let inflatedPiece: UInt64 = 64 << 20

  // MARK: Flattened files

  /// Records of a flattened file: QEMU writes one for 256 KiB, makedumpfile one for 64 KiB and more, so that
  /// 4 Mi of them are 256 GiB and more of compressed dump. Each takes 24 bytes of memory twice.
  static let flattenedRecords = 1 << 22
  /// Total bytes of a flattened file that no record wrote. Writers leave gaps only to align blocks.
  static let flattenedGaps: UInt64 = 1 << 30
}
