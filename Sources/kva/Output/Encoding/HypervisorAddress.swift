import KernelVA

extension JSONObject {
  /// The hypervisor's view of an address; nothing if it has none.
  mutating func hypervisorAddress(_ place: Hypervisor.Address?) {
    guard let place else { return }
    object("hypervisor") { object in
      object.hex("kernelAddress", place.kernelAddress)
      object.string("part", place.part.rawValue)
    }
  }
}

extension Words {
  /// The part of the hypervisor's address space, and the kernel's address of the same byte.
  static func place(_ place: Hypervisor.Address) -> String {
    "\(place.part.rawValue) part" + (place.kernelAddress.map { ", the kernel's \(hex($0))" } ?? "")
  }
}
