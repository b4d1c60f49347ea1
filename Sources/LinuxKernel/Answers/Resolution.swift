import Bytes
import DebugInfo
import KernelLayout
import VMSA

/// The whole answer to one query.
public struct Resolution: Sendable {
  /// In one word how it ended.
  public enum Status: String, Sendable {
    /// A leaf maps the address.
    case mapped
    /// The tables say that nothing is mapped there.
    case unmapped
    /// A table page is not in the dump.
    case tableMissing = "table-missing"
    /// A descriptor that cannot be.
    case corrupt
    /// The bits above the width of the tables disagree.
    case notCanonical = "not-canonical"
    /// No source knows the name.
    case unknownSymbol = "unknown-symbol"
    /// An address of user space, and nothing says which tables translate it.
    case noTables = "no-tables"
    /// The query cannot be understood, or cannot be answered with what was given.
    case badQuery = "bad-query"
  }

  /// As it was asked.
  public let query: String
  /// How it ended.
  public let status: Status
  /// What is wrong, where it is not mapped or its page is not in the dump.
  public internal(set) var message: Diagnostic?
  /// The address without its tag.
  public internal(set) var virtual: VirtualAddress?
  /// The top byte, where it was not the sign of the address.
  public internal(set) var tag: UInt8?
  /// Whether the MMU would have ignored the tag (TCR_EL1.TBI0, TBI1); nil if the dump does not tell.
  public internal(set) var topByteIgnored: Bool?
  /// Why the answer may be wrong: it rests on tables that look overwritten. nil if nothing says so.
  public internal(set) var doubt: Diagnostic?
  /// The leaf that maps it.
  public internal(set) var leaf: Leaf?
  /// Why the page's bytes cannot be read, nil if they can.
  public internal(set) var absence: Absence?
  /// Whether its page is one that a Realm shares with its host: the bit which says so is no part of the address.
  public internal(set) var isShared = false
  /// The region that it lies in.
  public internal(set) var region: Region?
  /// The symbol that it lies in.
  public internal(set) var symbol: Symbol?
  /// How far it lies in the symbol, in bytes.
  public internal(set) var symbolOffset: UInt64 = 0
  /// The entries of the walk, where it was asked for or did not end in a mapping.
  public internal(set) var walk: [WalkStep]?
  /// The tables that were walked.
  public internal(set) var regime: TranslationRegime?

  /// The memory whose KASAN shadow is at the address; nil of any other address.
  package internal(set) var shadowed: ClosedRange<UInt64>?
  /// What an address is to the hypervisor, where its tables translated it.
  package internal(set) var hypervisor: Hypervisor.Address?
  /// What Linux keeps in the invalid entry that ended a walk through tables of user space.
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
