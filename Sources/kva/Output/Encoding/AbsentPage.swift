import KernelVA

extension JSONObject {
  /// The meaning of an invalid entry to Linux.
  mutating func absentPage(_ page: NonPresentEntry) {
    string("entry", page.name)
    switch page {
    case .swapped(let type, let offset), .device(let type, let offset):
      number("swapType", type)
      hex("swapOffset", offset)
    case .protNone(let frame), .presentInvalid(let frame), .migration(let frame), .poisoned(let frame):
      hex("pagePhysical", frame.rawValue)
    case .marker(let value): hex("swapOffset", value)
    case .empty, .swapError, .unknown: break
    }
  }
}
