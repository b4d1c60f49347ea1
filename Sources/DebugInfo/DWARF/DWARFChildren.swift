/// The entries inside another, in order.
///
/// Each follows the one before it: the sequence ends if a damaged entry points back, so that no loop is endless.
struct DWARFChildren: ~Escapable {
  /// The last one returned; initially, their parent.
  private var current: DWARFEntry
  /// Its offset in `.debug_info`; nil before the first.
  private var last: UInt64?
  /// Whether they ended because of damage, or because the work limit was reached.
  private(set) var isCut = false

  @_lifetime(copy parent)
  init(of parent: DWARFEntry) { current = parent }

  /// The next one; nil if there are no more. Each takes one unit of the remaining `work`.
  @_lifetime(copy self)
  mutating func next(_ work: inout Int) -> DWARFEntry? {
    guard !isCut, let entry = following else { return nil }
    let offset = entry.offset
    work -= 1
    guard work > 0, last.map({ $0 < offset }) ?? true else {
      isCut = true
      return nil
    }
    last = offset
    current = entry
    return entry
  }

  private var following: DWARFEntry? {
    @_lifetime(copy self)
    get { last == nil ? current.firstChild : current.nextSibling }
  }
}
