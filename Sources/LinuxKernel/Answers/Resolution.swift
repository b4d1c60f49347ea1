import Bytes
import DebugInfo
import KernelLayout
import VMSA

/// The complete answer to a query.
public struct Resolution: Sendable {
  /// The outcome in one word.
  public enum Status: String, Sendable {
    /// A leaf maps the address.
    case mapped
    /// Nothing is mapped there.
    case unmapped
    /// A table page is not in the dump.
    case tableMissing = "table-missing"
    /// A malformed descriptor.
    case corrupt
    /// The bits above the width of the tables are not all equal.
    case notCanonical = "not-canonical"
    /// No symbol has the name.
    case unknownSymbol = "unknown-symbol"
    /// A user address without tables to translate it.
    case noTables = "no-tables"
    /// The query is malformed, or cannot be answered with what was given.
    case badQuery = "bad-query"
  }

  /// The query as given.
  public let query: String
  /// The outcome.
  public let status: Status
  /// What is wrong, if it is not mapped or its page is not in the dump.
  public internal(set) var message: Diagnostic?
  /// The address without its tag.
  public internal(set) var virtual: VirtualAddress?
  /// The top byte, if it was not the sign extension of the address.
  public internal(set) var tag: UInt8?
  /// Whether the MMU would have ignored the tag (TCR_EL1.TBI0, TBI1); nil if unknown.
  public internal(set) var topByteIgnored: Bool?
  /// Why the answer may be wrong: it rests on tables that look overwritten. nil if nothing suggests that.
  public internal(set) var doubt: Diagnostic?
  /// The leaf that maps it.
  public internal(set) var leaf: Leaf?
  /// Why the page's bytes cannot be read, nil if they can.
  public internal(set) var absence: Absence?
  /// Whether its page is shared between a Realm and its host; the bit that says so is not part of the address.
  public internal(set) var isShared = false
  /// The region that it lies in.
  public internal(set) var region: Region?
  /// The symbol that it lies in.
  public internal(set) var symbol: Symbol?
  /// The offset in the symbol, in bytes.
  public internal(set) var symbolOffset: UInt64 = 0
  /// The entries of the walk, if they were requested or the walk did not end in a mapping.
  public internal(set) var walk: [WalkStep]?
  /// The tables that were walked.
  public internal(set) var regime: TranslationRegime?

  /// The memory whose KASAN shadow is at the address; nil for any other address.
  package internal(set) var shadowed: ClosedRange<UInt64>?
  /// The hypervisor's view of the address, if its tables translated it.
  package internal(set) var hypervisor: Hypervisor.Address?
  /// The meaning of the invalid entry that ended a walk of user tables.
  package internal(set) var absentPage: NonPresentEntry?

  /// Why memory there is unreadable, if it is not mapped.
  package var unreadable: Diagnostic {
    (message ?? Diagnostic(.entryInvalid, "no mapping")).explaining("\(query) is \(status.rawValue)")
  }

  /// The physical address.
  public var physical: PhysicalAddress? { leaf?.physical }

  init(query: String, status: Status, message: Diagnostic? = nil) {
    self.query = query
    self.status = status
    self.message = message
  }
}
