/// The addresses and formats of the kallsyms tables.
package struct KallsymsTables: Hashable, Sendable {
  /// How addresses are stored.
  package enum Addresses: Hashable, Sendable {
    /// `kallsyms_addresses`: 64-bit addresses.
    case absolute(UInt64)
    /// `kallsyms_offsets`: 32-bit offsets from `kallsyms_relative_base`, whose value this is (4.6 to 6.19).
    case relative(UInt64, base: UInt64)
    /// `kallsyms_offsets`: signed 32-bit distances from each offset itself (7.0, a081b5789255d).
    case placeRelative(UInt64)

    /// The address of the table.
    var table: UInt64 {
      switch self {
      case .absolute(let table), .relative(let table, _), .placeRelative(let table): table
      }
    }
  }

  /// `kallsyms_num_syms`.
  package var count: Int
  /// `kallsyms_names`: for each symbol a length and as many tokens.
  package var names: UInt64
  /// `kallsyms_markers`: the start of each 256 symbols' names.
  package var markers: UInt64
  /// Bytes of one marker: 8 in 4.20 and before, 4 since.
  package var markerSize: Int
  /// `kallsyms_token_table`: 256 strings.
  package var tokenTable: UInt64
  /// `kallsyms_token_index`: the offset of each token's string.
  package var tokenIndex: UInt64
  /// `kallsyms_offsets` or `kallsyms_addresses`.
  package var addresses: Addresses
  /// `kallsyms_seqs_of_names`: the symbols' numbers in the order of their names, three bytes each, the highest first
  /// (6.2, 60443c88f3a8 "kallsyms: Improve the performance of kallsyms_lookup_name()", and 6.1.y); nil if there is
  /// none.
  package var sequences: UInt64?

  /// Describes the tables.
  package init(
    count: Int, names: UInt64, markers: UInt64, markerSize: Int, tokenTable: UInt64, tokenIndex: UInt64,
    addresses: Addresses, sequences: UInt64? = nil
  ) {
    self.count = count
    self.names = names
    self.markers = markers
    self.markerSize = markerSize
    self.tokenTable = tokenTable
    self.tokenIndex = tokenIndex
    self.addresses = addresses
    self.sequences = sequences
  }
}
