import Bytes
import CrashDump
import DebugInfo
import VMSA

/// What of KVM runs at EL2, and where it has its memory.
package struct Hypervisor: Sendable {
  /// How the kernel uses EL2.
  package enum Mode: String, Sendable {
    /// The kernel itself runs at EL2 (HCR_EL2.E2H): its tables are all there are.
    case vhe
    /// KVM has code of its own at EL2, in tables of its own that the kernel fills.
    case nvhe
    /// The same, but the code at EL2 keeps its tables to itself (pKVM).
    case protected
    /// Nothing of the kernel is at EL2.
    case unused = "none"
  }

  /// How the kernel uses EL2; nil if the dump does not tell.
  package internal(set) var mode: Sourced<Mode>?
  /// `kern_hyp_va`; nil under VHE, and where it is not known.
  package internal(set) var transform: Sourced<KernHypVA>?
  /// What to add to a hyp address of the linear part to have its physical address, modulo 2^64.
  package internal(set) var physvirtOffset: Sourced<UInt64>?
  /// The tables that TTBR0_EL2 holds; nil if there are none, or they were not found.
  package internal(set) var regime: Sourced<TranslationRegime>?
  /// The physical addresses of the code that is mapped to itself (`__hyp_idmap_text_start`).
  package internal(set) var idmap: Range<UInt64>?
  /// The registers of each CPU at EL2, as far as they are known.
  package internal(set) var cpus: [HypervisorRegisters] = []
  /// Why something is not known, one sentence each.
  package internal(set) var notes: [Diagnostic] = []

  /// Virtual minus physical address in the kernel's linear map.
  var linearOffset: UInt64?

  /// Which part of the hypervisor's addresses one is in.
  package enum Part: String, Sendable {
    /// The linear map as the transform moves it: the hypervisor's code and data, and what the kernel shares.
    case linear
    /// The code that switches the MMU on, at its physical address.
    case idmap
    /// The vectors of CPUs whose real ones must not be guessed (Spectre-v3a), in the private area.
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
    /// The linear address of the same byte; nil of what is no RAM.
    package let kernelAddress: UInt64?
  }

  /// The part that `address`, which `leaf` maps, is in, and the kernel's address of the same byte.
  ///
  /// Nothing but vectors is mapped executable in the private area.
  /// (`create_hyp_exec_mappings`, arch/arm64/kvm/mmu.c, called by `kvm_init_vector_slots` alone)
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
  /// The hyp address of a kernel address: of the linear map, or of the image by its alias there. Nil if it is
  /// neither, or `kern_hyp_va` is not known.
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

  /// What `address`, which `leaf` of the hypervisor's tables maps, is to it.
  func address(_ address: UInt64, _ leaf: Leaf, in dump: DumpFile) -> Address {
    describe(address, leaf, isRAM: dump.memory.ranges.contains { $0.contains(leaf.physical) })
  }
}
