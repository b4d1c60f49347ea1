import KernelLayout
import VMSA

/// What follows from the region that an address is in.
extension AddressIdentifier {
  /// Adds what is known about the fixmap, the KASAN shadow, freed init memory, and BPF and other generated code.
  func fillRegion(_ identity: inout AddressIdentity, _ address: UInt64) {
    switch identity.resolution.region {
    case .fixmap?:
      let slots = FixmapSlots(context: context)
      identity.fixmapSlot = slots.slot(of: address).flatMap { slots.name(of: $0) }
    case .kasanShadow?: identity.shadowMeaning = shadowMeaning(address)
    case .kernelImage?:
      if sections.value.section(of: address) == "init" {
        identity.kind = identity.resolution.status == .mapped ? "init memory" : "freed init memory"
      }
    case .vmalloc?, .modules?, .bpfJIT?:
      if identity.resolution.symbol?.module == "bpf" {
        identity.kind = "BPF program"
      } else if identity.resolution.status == .mapped, identity.module == nil,
        KprobePages(context: context).contain(address)
      {
        identity.kind = "instruction slots of kprobes"
      }
    default: break
    }
  }

  /// The meaning of the KASAN shadow byte at `address`. (mm/kasan/kasan.h)
  private func shadowMeaning(_ address: UInt64) -> String? {
    guard let shadow = context.layout.kasanShadow, let byte = context.memory.integer(UInt8.self, at: address) else {
      return nil
    }
    let number = "0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16))"
    guard shadow.mode == .generic else {
      return "\(number): \(byte == 0xff ? "any tag" : byte == 0xfe ? "not accessible" : "tag \(number)")"
    }
    let meaning =
      switch byte {
      case 0: "accessible"
      case 1...7: "its first \(byte) bytes are accessible"
      case 0xff: "free page"
      case 0xfe: "red zone of a large kmalloc"
      case 0xfc: "red zone of a slab object"
      case 0xfb: "freed slab object"
      case 0xfa: "freed slab object, with a record of who freed it"
      case 0xf9: "red zone of a global variable"
      case 0xf8: "vmalloc space that is not in use"
      case 0xf1: "left red zone of a stack frame"
      case 0xf2: "red zone between variables of a stack frame"
      case 0xf3: "right red zone of a stack frame"
      case 0xf4: "end of a variable of a stack frame"
      case 0xca: "left red zone of alloca"
      case 0xcb: "right red zone of alloca"
      default: "unknown"
      }
    return "\(number): \(meaning)"
  }
}
