import Bytes

/// The kernel's order of symbols by name (`kallsyms_seqs_of_names`), for bisection.
final class KallsymsNameOrder<Space: ByteSource>: Sendable {
  private let tables: KallsymsTables
  private let names: KallsymsNameTable<Space>
  /// The symbols' numbers; nil if the kernel has none, or the names are not in order.
  private let order: Lazy<[UInt8]?>

  /// Names compared before the order is trusted.
  private static var samples: Int { 16 }

  init(_ tables: KallsymsTables, _ names: KallsymsNameTable<Space>, in space: Space) {
    self.tables = tables
    self.names = names
    order = Lazy {
      tables.sequences.flatMap { space.bytes(at: $0, count: tables.count * 3) }.flatMap {
        Self.isInOrder($0, tables.count, names) ? $0 : nil
      }
    }
  }

  /// Whether there is an order to search by.
  var isKnown: Bool { order.value != nil }

  /// The first symbol of `name` by bisection, `.some(nil)` if there is none.
  ///
  /// - Returns: nil if bisection cannot decide: there is no order, a name is lost, or a kernel built with LTO orders
  ///   some names without their suffix (`cleanup_symbol_name`, scripts/kallsyms.c, 6.2).
  func number(named name: [UInt8]) -> Int?? {
    guard let order = order.value else { return nil }
    func stored(_ place: Int) -> KallsymsName? { Self.stored(at: place, order, tables.count, names) }
    var isWhole = true
    let place = (0..<tables.count).partitioningIndex {
      guard isWhole, let stored = stored($0) else {
        isWhole = false
        return true
      }
      return names.tokens.compare(stored, name) >= 0
    }
    guard isWhole else { return nil }
    guard place < tables.count else { return .some(nil) }
    guard let found = stored(place) else { return nil }
    if names.tokens.compare(found, name) == 0 { return .some(Self.number(at: place, order)) }
    return names.tokens.expand(found).name.utf8.starts(with: name + [UInt8(ascii: ".")]) ? nil : .some(nil)
  }

  /// Whether names sampled evenly from `order` are in order.
  private static func isInOrder(_ order: [UInt8], _ count: Int, _ names: KallsymsNameTable<Space>) -> Bool {
    var last: [UInt8] = []
    for sample in 0..<min(samples, count) {
      let place = sample * (count - 1) / max(1, min(samples, count) - 1)
      guard let stored = stored(at: place, order, count, names), names.tokens.compare(stored, last) >= 0 else {
        return false
      }
      last = Array(names.tokens.expand(stored).name.utf8)
    }
    return true
  }

  /// The name at `place` in `order`.
  private static func stored(
    at place: Int, _ order: [UInt8], _ count: Int, _ names: KallsymsNameTable<Space>
  ) -> KallsymsName? {
    let number = number(at: place, order)
    return number < count ? names.name(number) : nil
  }

  /// The number at `place` in `order`: three bytes, big-endian.
  private static func number(at place: Int, _ order: [UInt8]) -> Int {
    Int(order[place * 3]) << 16 | Int(order[place * 3 + 1]) << 8 | Int(order[place * 3 + 2])
  }
}
