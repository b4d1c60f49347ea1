/// The entries inside another, in order.
///
/// Each lies after the one before it: where a damaged entry leads back they end, so that no one goes round for ever.
struct DWARFChildren: ~Escapable {
  /// The last one that was shown; before that, the entry around them.
  private var current: DWARFEntry
  /// Where that is in `.debug_info`; nil before the first.
  private var last: UInt64?
  /// Whether they ended because of damage, or because all the work allowed was done.
  private(set) var isCut = false

  @_lifetime(copy parent)
  init(of parent: DWARFEntry) { current = parent }

  /// The next one; nil if there are no more. Each is one piece of `work`, of which so much is left.
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
