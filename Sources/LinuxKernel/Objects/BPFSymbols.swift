import Bytes
import DebugInfo

/// The symbols of what the BPF JIT has compiled: programs, trampolines and struct_ops images, as /proc/kallsyms lists
/// them.
///
/// Programs share pages, so a symbol's range is exact, but that of its vmalloc area is not. (`bpf_kallsyms`, `struct
/// bpf_ksym`: kernel/bpf/core.c, 5.7, bfea9a8574f3 ("bpf: Add name to struct bpf_ksym"))
struct BPFSymbols: Sendable {
  /// All, by address.
  let all: [Symbol]
  /// What is missing, one sentence each.
  let notes: [Diagnostic]

  /// The most images listed: a busy machine has a few thousand.
  private static let most = 1 << 16

  /// Empty if the kernel has no list of them, or its types are unknown.
  init(_ memory: KernelMemory, _ types: KernelTypes, _ symbols: KernelSymbols) {
    guard let entry = Entry(types), let head = symbols.symbol(named: Self.head)?.address else {
      all = []
      notes = []
      return
    }
    let links = memory.list(at: head, named: "BPF symbols", limit: Self.most)
    let found = links.elements.compactMap { entry.symbol(at: $0 &- UInt64(entry.link.offset), in: memory) }
    all = found.sorted { $0.address < $1.address }
    notes = links.notes
  }

  /// The kernel's name for the list.
  static let head = "bpf_kallsyms"

  /// The list head in a kernel with symbols only for functions; nil if there are no BPF programs.
  static func findHead(_ search: DataSectionScan, _ types: KernelTypes) -> UInt64? {
    guard let entry = Entry(types) else { return nil }
    return search.listHead({ _ in true }) { link in
      guard let symbol = entry.symbol(at: link &- UInt64(entry.link.offset), in: search.space) else { return false }
      return symbol.name.hasPrefix("bpf_")
        && search.space.leaf(at: symbol.address)?.attributes.isExecutableEL1 ?? false
    }
  }

  /// The symbol of exactly this name.
  func symbol(named name: String) -> Symbol? { all.first { $0.name == name } }

  /// The symbol that `address` lies in.
  func symbol(containing address: UInt64) -> Symbol? {
    let next = all.partitioningIndex { $0.address > address }
    guard next > 0 else { return nil }
    return address &- all[next - 1].address < all[next - 1].size ? all[next - 1] : nil
  }
}

/// The members of `struct bpf_ksym`.
private struct Entry {
  let link: TypeMember
  private let start: TypeMember
  private let end: TypeMember
  private let name: TypeMember

  /// The largest image: the JIT region has 128 MiB for all of them. (BPF_JIT_REGION_SIZE, to 5.17)
  private static let largest: UInt64 = 128 << 20

  init?(_ types: KernelTypes) {
    func member(_ name: String) -> TypeMember? { types.member(name, of: "bpf_ksym") }
    guard let link = member("lnode"), let start = member("start"), let end = member("end"), let name = member("name")
    else { return nil }
    self.link = link
    self.start = start
    self.end = end
    self.name = name
  }

  /// The symbol of the entry at `address`; nil if it is damaged, not in the dump, or has no name.
  func symbol(at address: UInt64, in memory: KernelMemory) -> Symbol? {
    let object = StructView(space: memory, address: address)
    guard let start = object.pointer(start), let end = object.pointer(end), start >> 55 & 1 == 1, start < end,
      end - start <= Self.largest, let name = object.text(name), !name.isEmpty
    else { return nil }
    return Symbol(name: name, address: start, size: end - start, type: UInt8(ascii: "t"), module: "bpf")
  }
}
