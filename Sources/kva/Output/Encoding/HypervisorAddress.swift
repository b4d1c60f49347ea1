import KernelVA

extension JSONObject {
  /// What an address is to the hypervisor; nothing where it is none of its.
  mutating func hypervisorAddress(_ place: Hypervisor.Address?) {
    guard let place else { return }
    object("hypervisor") { object in
      object.hex("kernelAddress", place.kernelAddress)
      object.string("part", place.part.rawValue)
    }
  }
}

extension Words {
  /// The part of the hypervisor's addresses that one is in, and the kernel's address of the same byte.
  static func place(_ place: Hypervisor.Address) -> String {
    "\(place.part.rawValue) part" + (place.kernelAddress.map { ", the kernel's \(hex($0))" } ?? "")
  }
}
