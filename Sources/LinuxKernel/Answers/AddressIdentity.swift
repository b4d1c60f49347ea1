import Bytes
import DebugInfo
import KernelLayout
import VMSA

/// Everything known about an address.
public struct AddressIdentity: Sendable {
  /// Its resolution by the page tables.
  public let resolution: Resolution
  /// What it is, in a few words: "kernel text", "task stack", "struct page" and so on.
  public internal(set) var kind: String
  /// The module whose memory it is in, and the kind of memory.
  public internal(set) var module: ModulePart?
  /// The vmalloc area that it is in.
  public internal(set) var area: VmallocArea?
  /// The task whose structure or stack it is in, and the offset.
  public internal(set) var task: TaskPart?
  /// The kernel stack that it is on, or just below.
  package internal(set) var stack: StackPlace?
  /// The per-CPU variable that it is in: its name, the CPU, and the offset.
  public internal(set) var perCPU: PerCPUVariable?
  /// The slab object that it is in.
  package internal(set) var slab: SlabObject?
  /// The state of the frame that backs it.
  package internal(set) var frame: FrameState?
  /// The frame whose `struct page` it is in.
  package internal(set) var describedFrame: FrameState?
  /// The pointer without its authentication code.
  public internal(set) var withoutPAC: UInt64?
  /// The source line of the code, from DWARF.
  public internal(set) var source: SourceLine?
  /// The poison value that it is, if it is not an address at all.
  public internal(set) var poison: String?
  /// The physical address, if it is mapped or was the query.
  package internal(set) var physical: PhysicalAddress?
  /// The linear map's address of the same memory, if different.
  package internal(set) var linearAlias: UInt64?
  /// The kernel image's address of the same memory, if different.
  package internal(set) var imageAlias: UInt64?
  /// Its place in a process, if it is a user address.
  package internal(set) var user: UserPlace?
  /// The swap slot of its page.
  package internal(set) var swap: SwapSlot?
  /// The page table that it is in.
  package internal(set) var table: TablePart?
  /// The name of the fixmap slot.
  package internal(set) var fixmapSlot: String?
  /// The meaning of a KASAN shadow byte, as text.
  package internal(set) var shadowMeaning: String?
  /// The resources (`/proc/iomem`) with the physical address, the outermost first.
  package internal(set) var resources: [PhysicalResource] = []
  /// The memblock regions with the physical address.
  package internal(set) var memblock: [String] = []
  /// What could not be checked, and why.
  public internal(set) var notes: [Diagnostic] = []

  /// A part of a module's memory.
  public struct ModulePart: Hashable, Sendable {
    /// The module's name.
    public let name: String
    /// The kind of memory: "text", "data" and so on, as in `KernelModule.MemoryRange`.
    public let part: String
  }

  /// A place in a task's structure or stack.
  public struct TaskPart: Sendable {
    /// The task.
    public let task: KernelTask
    /// "struct" for its `task_struct`, "stack" for its kernel stack.
    public let part: String
    /// The offset from its lowest address, in bytes.
    public let offset: UInt64
  }

  /// A place in one CPU's copy of a per-CPU variable.
  public struct PerCPUVariable: Hashable, Sendable {
    /// The variable.
    public let name: String
    /// The CPU.
    public let cpu: Int
    /// The offset from the start of the variable, in bytes.
    public let offset: UInt64
  }
}

/// Identifies an address.
struct AddressIdentifier {
  let context: KernelContext
  let resolver: Resolver
  let modules: LoadedModules
  let areas: Lazy<Listing<VmallocArea>>
  let tasks: Lazy<Listing<KernelTask>>
  let stacks: Lazy<TaskStackReader>
  let perCPU: Lazy<PerCPU?>
  let slabs: SlabAllocator
  let arithmetic: Lazy<Arithmetic>
  let sourceLines: SourceLines?
  let sections: Lazy<ImageSections>
  let addressSpaces: AddressSpaces
  let userTables: UserTables
  let pageReader: Lazy<PageReader?>
  let pageOwner: Lazy<PageOwner?>

  private var space: KernelMemory { context.memory }
  private var regime: TranslationRegime { context.regime }

  /// Everything known about the address that `query` asks for.
  ///
  /// - Parameter user: the tables that translate addresses of user space, or those of the hypervisor.
  func identify(_ query: String, user: TranslationRegime? = nil) -> AddressIdentity {
    var identity = place(query, user: user)
    fillFrames(&identity)
    return identity
  }

  /// Everything except the owners of the frames.
  private func place(_ query: String, user: TranslationRegime?) -> AddressIdentity {
    var resolution = resolver.resolve(query, trace: false, user: user)
    var withoutPAC: UInt64?
    var poison: String?
    if let pointer = resolution.virtual?.rawValue {
      // A user address may have the bits of a poison value's half word.
      poison = resolution.status == .mapped ? nil : Poison.name(pointer)
      // The shadow of NULL and of user space may look like a signed pointer.
      let isShadow = resolution.shadowed.map { $0.lowerBound >> UInt64(regime.addressBits) == 0 } ?? false
      if poison == nil, !isShadow, resolution.status == .notCanonical, let stripped = resolver.withoutPAC(pointer) {
        let text = hex(stripped)
        resolution = resolver.resolve(text, trace: false, user: user)
        withoutPAC = stripped
      }
    }
    var identity = AddressIdentity(resolution: resolution, kind: kind(resolution))
    identity.physical = resolution.physical ?? resolver.physical(asked: query)
    if resolution.shadowed != nil { identity.kind = Region.kasanShadow.rawValue }
    identity.withoutPAC = withoutPAC
    if let poison {
      identity.poison = poison
      identity.kind = Poison.isError(resolution.virtual?.rawValue ?? 0) ? "error pointer" : "poison"
      return identity
    }
    guard let address = resolution.virtual else {
      fillPhysical(&identity)
      return identity
    }
    if address.rawValue < 4096, resolution.status != .mapped {
      identity.kind = Resolver.null(address)
    } else if address.isUpperHalf {
      fill(&identity, address.rawValue)
      fillRegion(&identity, address.rawValue)
      fillTable(&identity)
      fillPhysical(&identity)
    } else if let physical = resolution.physical, resolution.region == .user, resolution.absence != .notInDump {
      let frames = PageFrames(context, arithmetic.value)
      identity.frame = frames.flatMap { $0.state(ofFrame: physical.rawValue >> $0.vmemmap.pageShift) }
      fillUser(&identity, address.rawValue)
      fillPhysical(&identity)
    } else if resolution.region == .user {
      fillUser(&identity, address.rawValue)
    }
    return identity
  }

  private func kind(_ resolution: Resolution) -> String {
    guard let region = resolution.region else { return "unknown" }
    switch region {
    case .kernelImage:
      guard let leaf = resolution.leaf else { return "kernel image" }
      return leaf.attributes.isExecutableEL1
        ? "kernel text" : leaf.attributes.isWritable ? "kernel data" : "kernel rodata"
    default: return region.rawValue
    }
  }

  private func fill(_ identity: inout AddressIdentity, _ address: UInt64) {
    if let frames = PageFrames(context, arithmetic.value) {
      if identity.resolution.region == .vmemmap {
        identity.kind = "struct page"
        identity.describedFrame = frames.state(ofFrame: frames.frame(ofPage: address))
      } else if let physical = identity.resolution.physical, identity.resolution.absence != .notInDump {
        identity.frame = frames.state(ofFrame: physical.rawValue >> frames.vmemmap.pageShift)
      }
    }
    let image = identity.resolution.region == .kernelImage ? identity.resolution.leaf?.attributes : nil
    if image?.isExecutableEL1 ?? false { identity.source = sourceLines?.line(at: address) }
    let isVirtual = [.vmalloc, .modules].contains(identity.resolution.region)
    if isVirtual {
      if let module = modules.containing(address) {
        let part = module.regions.first { address >= $0.start && address < $0.end }?.kind ?? "memory"
        identity.module = AddressIdentity.ModulePart(name: module.name, part: part)
        identity.kind = "module \(part)"
      }
      if let area = areas.value.elements.last(where: { $0.start <= address }), address < area.end {
        identity.area = area
        if identity.module == nil { identity.kind = "vmalloc area" }
      }
    }
    if let found = perCPUVariable(at: address) {
      identity.perCPU = found
      identity.kind = "per-CPU data"
      // The overflow stack is the only stack among them.
      if found.name == "overflow_stack" { fillStack(&identity, address) }
      return
    }
    if let cpu = dynamicPerCPU(at: address, identity.area) {
      identity.kind = "dynamic per-CPU data of CPU \(cpu)"
      identity.perCPU = allocatedVariable(at: address, cpu)
      if identity.resolution.region == .linearMap { return }
    }
    fillSlab(&identity, address)
    // Stacks are in vmalloc space or, like the structures themselves, in the linear map.
    let isData = image.map { !$0.isExecutableEL1 && $0.isWritable } ?? false
    guard isVirtual || identity.resolution.region == .linearMap || isData else { return }
    if let task = tasks.value.elements.first(where: { address &- $0.structure < taskSize }) {
      identity.task = AddressIdentity.TaskPart(task: task, part: "struct", offset: address &- task.structure)
      identity.kind = "task_struct"
    } else {
      fillStack(&identity, address)
    }
    if tasks.value.elements.isEmpty { identity.notes += tasks.value.notes }
  }

  private func fillStack(_ identity: inout AddressIdentity, _ address: UInt64) {
    guard let place = stacks.value.place(of: address) else { return }
    identity.stack = place
    if case .guardArea = place.part {
      identity.kind = "guard below \(place.stack.kind.rawValue) stack"
      return
    }
    identity.kind = "\(place.stack.kind.rawValue) stack"
    if let task = place.task, place.stack.kind == .task {
      identity.task = AddressIdentity.TaskPart(task: task, part: "stack", offset: address &- place.stack.start)
    }
  }

  private var taskSize: UInt64 { UInt64(context.types.value.size(of: "task_struct") ?? 0) }
}
