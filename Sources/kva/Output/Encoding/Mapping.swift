import KernelVA

extension JSONObject {
  /// The fields of the entry that maps an address.
  mutating func mapping(level: Int, size: UInt64, isContiguous: Bool) {
    number("level", level)
    string("kind", level == 3 ? "page" : "block")
    number("size", size)
    bool("contiguous", isContiguous)
  }
}
