import Bytes

/// The fields of one `struct page`.
struct PageRecord: Sendable {
  var flags: UInt64 = 0
  /// `compound_head` or `compound_info`.
  var compound: UInt64 = 0
  var mapping: UInt64 = 0
  var index: UInt64 = 0
  var privateData: UInt64 = 0
  var memcg: UInt64 = 0
  /// `_mapcount`, or the page type in its place.
  var mapcount: UInt32 = 0
  var refcount: Int32 = 0

  /// Reads the record at `position` of `bytes`; nil if it is not all there.
  @inline(__always)
  init?(_ bytes: RawSpan, at position: Int, _ layout: PageLayout) {
    guard position >= 0, position <= bytes.byteCount - layout.size,
      let flags = bytes.integer(UInt64.self, at: position &+ layout.flags),
      let mapping = bytes.integer(UInt64.self, at: position &+ layout.mapping),
      let privateData = bytes.integer(UInt64.self, at: position &+ layout.privateData),
      let mapcount = bytes.integer(UInt32.self, at: position &+ layout.mapcount),
      let refcount = bytes.integer(Int32.self, at: position &+ layout.refcount)
    else { return nil }
    self.flags = flags
    self.mapping = mapping
    self.privateData = privateData
    self.mapcount = mapcount
    self.refcount = refcount
    if let compound = layout.compound {
      self.compound = bytes.integer(UInt64.self, at: position &+ compound) ?? 0
    }
    if let index = layout.index { self.index = bytes.integer(UInt64.self, at: position &+ index) ?? 0 }
    if let memcg = layout.memcg { self.memcg = bytes.integer(UInt64.self, at: position &+ memcg) ?? 0 }
  }
}
