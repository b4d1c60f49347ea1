import Bytes
import DebugInfo

/// The source locations of BUG() and WARN(), from the kernel's bug table. (`struct bug_entry`,
/// include/asm-generic/bug.h; lib/bug.c)
struct BugTable {
  /// A source location.
  struct Place: Hashable, Sendable {
    /// The file; nil without CONFIG_DEBUG_BUGVERBOSE.
    var file: String?
    /// The line; nil without CONFIG_DEBUG_BUGVERBOSE.
    var line: Int?
    /// WARN(), not BUG().
    var isWarning: Bool
  }

  private let memory: KernelMemory
  private let size: UInt64
  private let address: TypeMember
  private let flags: TypeMember
  private let file: TypeMember?
  private let line: TypeMember?
  private let tables: [Range<UInt64>]

  /// A larger table is not believed.
  private static let mostEntries: UInt64 = 1 << 18

  /// nil if the type or the tables are unknown.
  init?(_ context: KernelContext, _ modules: Listing<KernelModule>) {
    let types = context.types.value
    func member(_ name: String) -> TypeMember? { types.member(name, of: "bug_entry") }
    // Entries are relative since about 4.11; absolute ones have other member names.
    guard let size = types.size(of: "bug_entry"), size >= 6, let address = member("bug_addr_disp"),
      let flags = member("flags")
    else { return nil }
    memory = context.memory
    self.size = UInt64(size)
    self.address = address
    self.flags = flags
    file = member("file_disp")
    line = member("line")
    var tables: [Range<UInt64>] = []
    let bounds = context.symbols.addresses(of: ["__start___bug_table", "__stop___bug_table"])
    if let start = bounds["__start___bug_table"], let stop = bounds["__stop___bug_table"], start < stop,
      stop - start <= Self.mostEntries * UInt64(size)
    {
      tables.append(start..<stop)
    }
    let table = types.member("bug_table", of: "module")
    let count = types.member("num_bugs", of: "module")
    for module in modules.elements {
      let object = StructView(space: context.memory, address: module.structure)
      guard let start = object.pointer(table), let number = object.number(count), number > 0,
        number <= Self.mostEntries, start <= .max - number * UInt64(size)
      else { continue }
      tables.append(start..<(start + number * UInt64(size)))
    }
    guard !tables.isEmpty else { return nil }
    self.tables = tables
  }

  /// The entry for the BRK at `pc`; nil if there is none.
  func place(of pc: UInt64) -> Place? {
    for table in tables {
      guard let bytes = memory.bytes(at: table.lowerBound, count: Int(table.upperBound - table.lowerBound)) else {
        continue
      }
      let span = bytes.rawSpan
      for offset in stride(from: 0, to: bytes.count - Int(size) + 1, by: Int(size)) {
        func target(_ member: TypeMember) -> UInt64? {
          span.integer(UInt32.self, at: offset + member.offset).map {
            table.lowerBound &+ UInt64(offset + member.offset) &+ UInt64(bitPattern: Int64(Int32(bitPattern: $0)))
          }
        }
        guard target(address) == pc else { continue }
        let bits = span.integer(UInt16.self, at: offset + flags.offset) ?? 0
        return Place(
          file: file.flatMap(target).flatMap { memory.string(at: $0, limit: 256) },
          line: line.flatMap { span.integer(UInt16.self, at: offset + $0.offset) }.map(Int.init),
          isWarning: bits & 1 == 1)
      }
    }
    return nil
  }
}
