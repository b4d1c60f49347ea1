import Bytes
import CrashDump
import DebugInfo
import VMSA

/// KVM's part at EL2, and its memory.
package struct Hypervisor: Sendable {
  /// How the kernel uses EL2.
  package enum Mode: String, Sendable {
    /// The kernel itself runs at EL2 (HCR_EL2.E2H): there are no other tables.
    case vhe
    /// KVM has code at EL2, with its own tables, which the kernel fills.
    case nvhe
    /// The same, but the code at EL2 owns its tables (pKVM).
    case protected
    /// Nothing of the kernel runs at EL2.
    case unused = "none"
  }

  /// How the kernel uses EL2; nil if unknown.
  package internal(set) var mode: Sourced<Mode>?
  /// `kern_hyp_va`; nil under VHE or if unknown.
  package internal(set) var transform: Sourced<KernHypVA>?
  /// The offset from hyp addresses of the linear part to physical addresses, modulo 2^64.
  package internal(set) var physvirtOffset: Sourced<UInt64>?
  /// The tables in TTBR0_EL2; nil if there are none, or they were not found.
  package internal(set) var regime: Sourced<TranslationRegime>?
  /// The physical addresses of the identity-mapped code (`__hyp_idmap_text_start`).
  package internal(set) var idmap: Range<UInt64>?
  /// The known registers of each CPU at EL2.
  package internal(set) var cpus: [HypervisorRegisters] = []
  /// Why something is unknown, one sentence each.
  package internal(set) var notes: [Diagnostic] = []

  /// Virtual minus physical address in the kernel's linear map.
  var linearOffset: UInt64?

  /// A part of the hypervisor's address space.
  package enum Part: String, Sendable {
    /// The linear map as the transform moves it: the hypervisor's code and data, and what the kernel shares.
    case linear
    /// The code that turns on the MMU, at its physical address.
    case idmap
    /// The hardened vectors (Spectre-v3a), in the private area.
    case vectors
    /// The area beside the idmap: GICv2 registers, stacks with a guard page.
    case private_ = "private"
  }

  /// A hyp address in the kernel's terms.
  package struct Address: Hashable, Sendable {
    /// The address at EL2.
    package let address: UInt64
    /// The part that it is in.
    package let part: Part
    /// The linear address of the same byte; nil if it is not RAM.
    package let kernelAddress: UInt64?
  }

  /// The part that `address`, which `leaf` maps, is in, and the kernel's address of the same byte.
  ///
  /// Only vectors are mapped executable in the private area. (`create_hyp_exec_mappings`, arch/arm64/kvm/mmu.c, called
  /// by `kvm_init_vector_slots` alone)
  func describe(_ address: UInt64, _ leaf: Leaf, isRAM: Bool) -> Address {
    let linear = linearOffset.map { leaf.physical.rawValue &+ $0 }
    if let transform = transform?.value, let linear,
      transform.linearAddress(of: address, like: linear) == linear
    {
      return Address(address: address, part: .linear, kernelAddress: linear)
    }
    let part: Part =
      leaf.physical.rawValue == address ? .idmap : leaf.attributes.isExecutableEL2 ? .vectors : .private_
    return Address(address: address, part: part, kernelAddress: isRAM ? linear : nil)
  }
}

extension Hypervisor {
  /// The hyp address of a kernel address: in the linear map, or in the image by its linear alias. nil if it is in
  /// neither, or `kern_hyp_va` is unknown.
  func address(ofKernel address: VirtualAddress, _ context: KernelContext, _ regions: RegionLookup) -> UInt64? {
    guard let transform = transform?.value, let linearOffset else { return nil }
    let address = address.untagged
    switch regions.region(of: address, mappedTo: context.translate(address).leaf?.physical) {
    case .linearMap?: return transform.hypervisorAddress(ofLinear: address.rawValue)
    case .kernelImage?:
      guard let imageOffset = context.facts.kimageVoffset?.value else { return nil }
      return transform.hypervisorAddress(ofLinear: address.rawValue &- imageOffset &+ linearOffset)
    default: return nil
    }
  }

  /// The description of `address`, which `leaf` of the hypervisor's tables maps.
  func address(_ address: UInt64, _ leaf: Leaf, in dump: DumpFile) -> Address {
    describe(address, leaf, isRAM: dump.memory.ranges.contains { $0.contains(leaf.physical) })
  }
}
