/// Limits on what a debug file, kallsyms or BTF may claim, each with its reason.
///
/// Memory follows what is used, never what a field announces; these bound the loops and the few allocations that follow
/// a count in them.
package enum Limits {
  // MARK: Symbols

  /// Symbols of a vmlinux or of kallsyms: a debug build of an allyesconfig kernel has about a million.
  package static let symbols = 1 << 22
  /// Bytes of a symbol name that are read (`KSYM_NAME_LEN` is 512 since 6.1).
  package static let symbolName = 1024
  /// The longest function: anything farther past a symbol of unknown size has no name.
  static let longestFunction: UInt64 = 64 << 10

  // MARK: ELF

  /// Section headers of a vmlinux: one built with a section per function has some 100,000.
  static let sections = 1 << 20
  /// Bytes of a vmlinux's note sections that are searched for its build ID: they have some 200.
  static let noteSectionBytes: UInt64 = 1 << 20

  // MARK: Packed sections

  /// Bytes of debug sections unpacked into a file: those of a distribution's kernel are 0.2 to 1 GiB.
  static let debugBytes: UInt64 = 4 << 30
  /// The same as a multiple of the file that they come from: compiler output compresses to a half or a fifth.
  static let debugRatio: UInt64 = 16

  // MARK: BTF

  /// Bytes of BTF: a distribution's kernel has 6 MiB, a debug one 20.
  package static let btfBytes = 64 << 20

  // MARK: DWARF units

  /// Compilation units of a vmlinux: a distribution's kernel has 2,000 to 5,000, an allyesconfig some 30,000.
  static let compilationUnits = 1 << 18
  /// Abbreviations of a compilation unit: a few hundred, or some thousands if everything was compiled as one unit.
  static let abbreviations = 1 << 16
  /// Abbreviations that libdw may keep, some 60 bytes each: one for each unit, and all of those in the few units with
  /// needed types.
  static let abbreviationsKept = 1 << 21

  // MARK: Types, in DWARF and BTF

  /// DWARF entries that a process scans to find types: a distribution's kernel has four to six million at the top level
  /// of its units, and if built by clang, without sibling references, forty million in all.
  static let debugEntries = 1 << 28
  /// Type names kept in the index: a distribution's kernel has 150,000.
  static let typeNames = 1 << 21
  /// DWARF entries read to find one member: `task_struct` with everything in it has some 1,000.
  static let entriesPerMember = 1 << 18
  /// Types followed from a name to a size, and nested structures: the kernel's longest chains have about ten.
  static let typeDepth = 64
  /// Bytes of one type: no structure of the kernel fills a gigabyte.
  static let typeBytes: UInt64 = 1 << 32

  /// Parts of one declaration: function types whose parameters are function types have some tens.
  static let declarationPieces = 1 << 10
  /// Lines of the layout of one type: the largest structures, fully expanded, have some thousands.
  static let layoutLines = 1 << 16
  /// The longest chain of dependent types in a header of all types: the kernel's have about a hundred.
  static let headerDepth = 512
  /// Bytes of a header of all types, with nested types counted again: a distribution's kernel takes 8 MiB.
  package static let headerBytes = 128 << 20
  /// Parameters of one function: the kernel's longest have some twenty.
  static let parameters = 256

  // MARK: Source lines

  /// Bytes of `.debug_aranges`, of which libdw makes four to five times as many: a distribution's kernel has 2 MiB.
  static let addressRangeBytes = 32 << 20
  /// Address ranges of compilation units: a kernel with a section per function has some 100,000.
  static let codeRanges = 1 << 21
  /// Bytes of one unit's line table: the largest drivers' have some 500 KiB, and libdw makes about 64 bytes
  /// of each.
  static let lineTableBytes: UInt64 = 4 << 20

  // MARK: Files

  /// Bytes of what a program that kva runs may print.
  static let programOutput = 64 << 10
}
