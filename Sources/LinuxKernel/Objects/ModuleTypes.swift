import Bytes
import DebugInfo
import Synchronization

/// The types that modules add to the kernel's: their split BTF, which the kernel keeps in `struct btf`.
/// (kernel/bpf/btf.c, `btf_module_notify`; CONFIG_DEBUG_INFO_BTF_MODULES, 5.11, 36e68442d1af "bpf: Load and verify
/// kernel module BTFs")
///
/// Since 6.11, the BTF of a module built with a distilled base is relocated in place when the module is loaded, so that
/// memory has plain split BTF. (tools/lib/bpf/btf_relocate.c, 8646db238997 "libbpf,bpf: Share BTF relocate-related code
/// with kernel")
final class ModuleTypes: Sendable {
  /// Either a module's types, or why there are none.
  enum Answer: Sendable {
    case types(BTFTypes)
    case missing(String)
  }

  private let space: KernelMemory
  private let types: KernelTypes
  /// `struct btf` of each module, by the address of its `struct module`.
  private let objects: Lazy<Listing<(module: UInt64, btf: UInt64)>>
  private let known = Mutex<[UInt64: Answer]>([:])

  init(
    _ space: KernelMemory, _ types: KernelTypes, _ symbols: KernelSymbols, _ modules: Lazy<Listing<KernelModule>>,
    _ search: DataSectionScan?
  ) {
    self.space = space
    self.types = types
    objects = Lazy { Self.objects(space, types, symbols, modules, search) }
  }

  /// The types of `module`, read when they are first asked for.
  func types(of module: KernelModule) -> Answer {
    if let answer = known.withLock({ $0[module.structure] }) { return answer }
    let answer = read(module)
    known.withLock { $0[module.structure] = answer }
    return answer
  }

  private func read(_ module: KernelModule) -> Answer {
    guard let base = types.btf else { return .missing("the kernel's own BTF, which a module's adds to, is not known") }
    guard let object = objects.value.elements.first(where: { $0.module == module.structure }) else {
      return .missing(objects.value.notes.first?.text ?? "the module \(module.name) has no BTF")
    }
    let btf = StructView(space: space, address: object.btf)
    func field(_ name: String) -> UInt64? { btf.number(types.member(name, of: "btf")) }
    guard let data = field("data"), let size = field("data_size"), size <= UInt64(Limits.btfBytes),
      let bytes = space.bytes(at: data, count: Int(size))
    else { return .missing("the BTF of the module \(module.name) cannot be read: not in the dump, or damaged") }
    guard field("start_id") == UInt64(base.typeCount), field("start_str_off") == UInt64(base.stringBytes) else {
      return .missing(
        "the BTF of the module \(module.name) does not continue the kernel's, so its types have no numbers")
    }
    guard
      let found = BTFTypes(
        bytes, base: base, origin: "BTF of the module \(module.name)", module: module.name)
    else {
      return .missing("the BTF of the module \(module.name) is damaged")
    }
    return .types(found)
  }

  /// The list `btf_modules`: by symbol, or else by its first element, which points to a known module.
  private static func objects(
    _ space: KernelMemory, _ types: KernelTypes, _ symbols: KernelSymbols, _ modules: Lazy<Listing<KernelModule>>,
    _ search: DataSectionScan?
  ) -> Listing<(module: UInt64, btf: UInt64)> {
    func member(_ name: String) -> TypeMember? { types.member(name, of: "btf_module") }
    guard let list = member("list"), let owner = member("module"), let btf = member("btf") else {
      return Listing(notes: [
        Diagnostic(.typeUnknown, "btf_module", "this kernel keeps no BTF of modules (CONFIG_DEBUG_INFO_BTF_MODULES)")
      ])
    }
    func object(_ link: UInt64) -> StructView { StructView(space: space, address: link &- UInt64(list.offset)) }
    let known = Set(modules.value.elements.map(\.structure))
    let head =
      symbols.symbol(named: "btf_modules")?.address
      ?? search?.listHead({ _ in true }, { object($0).pointer(owner).map(known.contains) ?? false })
    guard let head else {
      return Listing(notes: [
        Diagnostic(
          .symbolUnknown, "btf_modules",
          "no module's BTF was found: btf_modules has no name, and none was recognised")
      ])
    }
    let links = space.list(at: head, named: "btf_modules")
    var result = Listing<(module: UInt64, btf: UInt64)>(notes: links.notes)
    for link in links.elements {
      guard let module = object(link).pointer(owner), let btf = object(link).pointer(btf) else {
        result.note(
          .objectUnreadable, hex(object(link).address),
          text: "the BTF of a module, at \(hex(object(link).address)), cannot be read")
        continue
      }
      result.elements.append((module, btf))
    }
    return result
  }
}
