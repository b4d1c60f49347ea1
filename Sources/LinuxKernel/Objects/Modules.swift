import Bytes
import DebugInfo

/// A loaded module.
public struct KernelModule: Sendable {
  /// A piece of its memory.
  public struct MemoryRange: Sendable {
    /// "text", "data", "rodata", "ro-after-init", or one of these after "init ".
    public let kind: String
    /// The first address.
    public let start: UInt64
    /// The address after the last.
    public let end: UInt64
  }

  /// Its name.
  public let name: String
  /// The address of its `struct module`.
  public let structure: UInt64
  /// The start of its text, as shown in `/proc/modules`.
  public let address: UInt64
  /// The size of all its memory in bytes, as shown in `/proc/modules`.
  public let size: UInt64
  /// Its memory, piece by piece.
  public let regions: [MemoryRange]
  /// Its reference count; nil if unreadable.
  public let references: Int64?
  /// Its taint bits (`taints`); nil if unreadable.
  package let taints: UInt64?
  /// The names of the modules that use it, in the kernel's order; nil if they cannot be read.
  package let users: [String]?
  /// The addresses of its per-CPU variables' templates, empty if it has none; nil if unreadable.
  let perCPU: Range<UInt64>?

  /// Whether `address` is in its memory.
  package func contains(_ address: UInt64) -> Bool {
    regions.contains { address >= $0.start && address < $0.end }
  }
}

/// The modules of a kernel and their symbols.
/// (include/linux/module.h, `struct module`, `struct mod_kallsyms`; kernel/module/kallsyms.c)
struct ModuleReader: Sendable {
  let space: KernelMemory
  let types: KernelTypes

  let list: TypeMember?
  let name: TypeMember?
  let state: TypeMember?
  private let references: TypeMember?
  private let taints: TypeMember?
  /// The list of `struct module_use`s of a used module, each of which names a module that uses it.
  private let uses: TypeMember?
  private let useLink: TypeMember?
  private let useSource: TypeMember?
  private let perCPU: TypeMember?
  private let perCPUSize: TypeMember?
  private let kallsyms: TypeMember?
  private let layouts: [Layout]

  /// A range of a module's memory as the structure has it: a base, a size, and, before 6.4, the offset at which one
  /// kind ends and the next begins.
  private struct Layout {
    var base: TypeMember
    var size: TypeMember
    var kinds: [(name: String, end: TypeMember?)]
  }

  /// `enum mod_mem_type` (6.4, ac3b43283923 "module: replace module_layout with module_memory").
  private static let kinds = [
    "text", "data", "rodata", "ro-after-init", "init text", "init data", "init rodata",
  ]

  init(_ space: KernelMemory, _ types: KernelTypes) {
    func member(_ path: String) -> TypeMember? { types.member(path, of: "module") }
    self.space = space
    self.types = types
    list = member("list")
    name = member("name")
    state = member("state")
    references = member("refcnt.counter")
    taints = member("taints")
    uses = member("source_list")
    useLink = types.member("source_list", of: "module_use")
    useSource = types.member("source", of: "module_use")
    perCPU = member("percpu")
    perCPUSize = member("percpu_size")
    kallsyms = member("kallsyms")
    if let array = member("mem"), let size = types.size(of: "module_memory"), size > 0,
      let base = types.member("base", of: "module_memory"), let length = types.member("size", of: "module_memory")
    {
      layouts = Self.kinds.indices.filter { ($0 + 1) * size <= array.size }.map { number in
        func shifted(_ member: TypeMember) -> TypeMember {
          TypeMember(offset: array.offset + number * size + member.offset, size: member.size)
        }
        return Layout(base: shifted(base), size: shifted(length), kinds: [(Self.kinds[number], nil)])
      }
    } else {
      layouts = [("core_layout", ""), ("init_layout", "init ")].compactMap { part, prefix in
        guard let base = member(part + ".base"), let size = member(part + ".size") else { return nil }
        return Layout(
          base: base, size: size,
          kinds: [
            (prefix + "text", member(part + ".text_size")), (prefix + "rodata", member(part + ".ro_size")),
            (prefix + "ro-after-init", member(part + ".ro_after_init_size")), (prefix + "data", nil),
          ])
      }
    }
  }

  /// Whether the required types are known.
  var canRead: Bool { list != nil && name != nil && !layouts.isEmpty }

  /// The modules on the list whose head is at `head`.
  func modules(head: UInt64) -> Listing<KernelModule> {
    guard let list else { return Listing() }
    let links = space.list(at: head, named: "modules", limit: Limits.modules)
    var result = Listing<KernelModule>(notes: links.notes)
    for link in links.elements {
      switch module(at: link &- UInt64(list.offset)) {
      case .some(let module?): result.elements.append(module)
      case .some(nil): break
      case nil:
        result.note(
          .objectUnreadable, hex(link &- UInt64(list.offset)),
          text: "the module at \(hex(link &- UInt64(list.offset))) cannot be read, or is damaged")
      }
    }
    return result
  }

  /// The module whose structure is at `address`; `.some(nil)` if it is still being set up (MODULE_STATE_UNFORMED), nil
  /// if it is unreadable.
  private func module(at address: UInt64) -> KernelModule?? {
    let object = StructView(space: space, address: address)
    guard let state = object.number(state), state <= 3 else { return nil }
    if state == 3 { return .some(nil) }
    guard let name = object.text(name), Self.isName(name) else { return nil }
    var regions: [KernelModule.MemoryRange] = []
    var total: UInt64 = 0
    for layout in layouts {
      guard let base = object.pointer(layout.base), let size = object.number(layout.size) else { return nil }
      guard base != 0, size > 0, size < 1 << 32 else { continue }
      total += size
      var start: UInt64 = 0
      for (kind, end) in layout.kinds {
        let end = min(end.flatMap { object.number($0) } ?? size, size)
        if end > start {
          regions.append(KernelModule.MemoryRange(kind: kind, start: base &+ start, end: base &+ end))
          start = end
        }
      }
    }
    let text = regions.first { $0.kind == "text" } ?? regions.first
    let variables = object.number(perCPU).flatMap { start in
      object.number(perCPUSize).flatMap { start <= .max - $0 ? start..<(start + $0) : nil }
    }
    // The list itself holds one reference (MODULE_REF_BASE).
    return KernelModule(
      name: name, structure: address, address: text?.start ?? 0, size: total, regions: regions,
      references: object.signed(references).map { $0 &- 1 }, taints: object.number(taints), users: users(of: object),
      perCPU: variables)
  }

  /// The names of the modules that use the one whose structure is `object`; nil if their list is damaged.
  private func users(of object: StructView) -> [String]? {
    guard let head = object.address(of: uses), let useLink, let useSource else { return nil }
    let links = space.list(at: head, named: "users", limit: Limits.modules)
    guard links.notes.isEmpty else { return nil }
    var names: [String] = []
    for link in links.elements {
      let use = StructView(space: space, address: link &- UInt64(useLink.offset))
      guard let source = use.pointer(useSource), let text = StructView(space: space, address: source).text(name),
        Self.isName(text)
      else { return nil }
      names.append(text)
    }
    return names
  }

  /// Whether `text` is a valid module name: the characters of a C identifier, at least one.
  static func isName(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { $0 == 0x5f || (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) }
  }

  /// The symbols of `module`, from its own kallsyms; nil if it is unreadable.
  ///
  /// - Parameter room: how many more bytes the modules' tables may take.
  func symbols(of module: KernelModule, _ room: Budget) -> ModuleKallsyms? {
    guard let table = StructView(space: space, address: module.structure).pointer(kallsyms), table != 0 else {
      return nil
    }
    let object = StructView(space: space, address: table)
    func field(_ name: String) -> UInt64? { object.pointer(types.member(name, of: "mod_kallsyms")) }
    guard let entries = field("symtab"), let count = field("num_symtab"), let strings = field("strtab") else {
      return nil
    }
    // 5.2 moved the type letters from st_info to a table of their own (1c7651f43777 "kallsyms: store type information
    // in its own array").
    return ModuleKallsyms(
      of: module, in: space, entries: entries, count: count, strings: strings, letters: field("typetab"), room)
  }
}

extension ModuleReader {
  /// The head of the list of modules: a list head in the data whose first element is the link of a `struct module`.
  func findHead(_ search: DataSectionScan) -> UInt64? {
    guard let list, let name, let state else { return nil }
    return search.listHead(search.isNearImage) { link in
      let module = StructView(space: space, address: link &- UInt64(list.offset))
      // MODULE_STATE_UNFORMED is the highest state.
      guard let state = module.number(state), state <= 3, let text = module.text(name) else { return false }
      return Self.isName(text)
    }
  }
}
