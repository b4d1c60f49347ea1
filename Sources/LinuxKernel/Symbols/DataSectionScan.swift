import Bytes
import DebugInfo

/// Finds objects among the kernel's own data that can be recognised, for kernels that name functions only.
///
/// What is found is verified by what points at it, or by what it leads to.
struct DataSectionScan: Sendable {
  let space: KernelMemory
  /// Behind `swapper_pg_dir` stand the data; in 4.19 they stand before it. (arch/arm64/kernel/vmlinux.lds.S)
  private let ranges: [Range<UInt64>]
  private let text: UInt64
  /// kimage_voffset: what else is mapped near the image is none of it.
  private let moved: UInt64

  /// How far from the image modules can be: a branch through a veneer reaches 4 GiB. (arch/arm64/kernel/kaslr.c
  /// to 6.4, arch/arm64/kernel/module.c; 2 GiB since 6.5, 3e35d303ab7d)
  private static let moduleReach: UInt64 = 4 << 30

  /// nil where VMCOREINFO does not tell the image, or it is not mapped.
  init?(_ space: KernelMemory, _ vmcoreinfo: VMCoreInfo?) {
    guard let text = vmcoreinfo?.symbol("_stext"), let tables = vmcoreinfo?.symbol("swapper_pg_dir"), text < tables,
      tables < space.image.upperBound, let leaf = space.leaf(at: text)
    else { return nil }
    self.space = space
    self.text = text
    moved = text &- leaf.physical.rawValue
    ranges = [tables..<space.image.upperBound, text..<tables]
  }

  /// Whether a module of this kernel could lie at `address`.
  func isNearImage(_ address: UInt64) -> Bool {
    let reach = Self.moduleReach &+ ImageReach.largest
    return address &- (text &- reach) < 2 &* reach
  }

  /// The head of a list (`struct list_head`) in the data whose first element `isElement`, and which both its
  /// neighbours link back to.
  ///
  /// - Parameters:
  ///   - mayBeLink: a first look at the pointer alone.
  ///   - isElement: whether what has this link in it is what is looked for.
  func listHead(_ mayBeLink: (UInt64) -> Bool, _ isElement: (UInt64) -> Bool) -> UInt64? {
    forEachPiece(overlap: 8) { address, bytes in
      let words = bytes.rawSpan
      for offset in stride(from: 0, to: bytes.count - 8, by: 8) {
        guard let next = words.integer(UInt64.self, at: offset) else { break }
        // The address of an object of the kernel is canonical, aligned and, for an element, not in the image.
        guard next >> 52 == 0xfff, next & 7 == 0, !space.image.contains(next), mayBeLink(next),
          let previous = words.integer(UInt64.self, at: offset + 8), previous >> 52 == 0xfff, previous & 7 == 0
        else { continue }
        let head = address &+ UInt64(offset)
        if space.word(at: next &+ 8) == head, space.word(at: previous) == head, isElement(next) { return head }
      }
      return nil
    }
  }

  /// The first word of the data that points at what `isRight`.
  func pointer(to isRight: (UInt64) -> Bool) -> UInt64? {
    forEachPiece(overlap: 0) { address, bytes in
      let words = bytes.rawSpan
      for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
        guard let target = words.integer(UInt64.self, at: offset) else { break }
        if target >> 52 == 0xfff, target & 7 == 0, isRight(target) { return address &+ UInt64(offset) }
      }
      return nil
    }
  }

  /// The first place of `pattern` in the data that `isRight`.
  func place(of pattern: [UInt8], where isRight: (UInt64) -> Bool) -> UInt64? {
    forEachPiece(overlap: (pattern.count + 7) & ~7) { address, bytes in
      bytes.occurrences(of: pattern).lazy.map { address &+ UInt64($0) }.first(where: isRight)
    }
  }

  /// Calls `body` with piece after piece of the data until it returns something.
  private func forEachPiece(overlap: Int, _ body: (_ address: UInt64, _ bytes: [UInt8]) -> UInt64?) -> UInt64? {
    var result: UInt64?
    for range in ranges where result == nil {
      space.forEachPiece(range, overlap: overlap, moved: moved) { address, bytes in
        result = body(address, bytes)
        return result == nil
      }
    }
    return result
  }
}

/// Objects that a kernel without names for its data has all the same: recognised when they are asked for, and
/// believed when what they lead to is in order.
struct RecognisedObjects: SymbolSource {
  private let places: [String: Lazy<UInt64?>]

  init(_ search: DataSectionScan?, _ types: Lazy<KernelTypes>) {
    guard let search else {
      places = [:]
      return
    }
    places = [
      "init_task": Lazy { TaskReader(search.space, types.value)?.findFirst(search) },
      "modules": Lazy { ModuleReader(search.space, types.value).findHead(search) },
      "vmap_area_list": Lazy { VmallocReader(space: search.space, types: types.value).findHead(search) },
      "prb": Lazy { PrintkRing(types.value.offset, types.value.size).flatMap { $0.find(search) } },
    ]
  }

  var origin: String { "objects recognised in the kernel's data" }
  /// Whether the module list was found, which has to be looked for on every kernel that needs this at all.
  var isPresent: Bool { places["modules"]?.value != nil }

  func symbol(named name: String) -> Symbol? {
    places[name]?.value.map { Symbol(name: name, address: $0, size: 1) }
  }

  func symbol(containing address: UInt64) -> Symbol? { nil }

  func forEachSymbol(_ body: (Symbol) -> Bool) {
    for name in places.keys.sorted() {
      if let symbol = symbol(named: name), !body(symbol) { return }
    }
  }
}

extension ModuleReader {
  /// The head of the list of modules: in the data, and its first element the list of a `struct module`.
  func findHead(_ search: DataSectionScan) -> UInt64? {
    guard let list, let name, let state else { return nil }
    return search.listHead(search.isNearImage) { link in
      let module = StructView(space: space, address: link &- UInt64(list.offset))
      // MODULE_STATE_UNFORMED is the last.
      guard let state = module.number(state), state <= 3, let text = module.text(name) else { return false }
      return Self.isName(text)
    }
  }
}

extension PrintkRing {
  /// `prb`: the word in the data that points at a ring whose newest descriptor says that it is that.
  func find(_ search: DataSectionScan) -> UInt64? {
    search.pointer { isRing(at: $0, search.space) }
  }
}

extension TaskReader {
  /// `init_task`: the task in the data that is called "swapper", has the number 0, and whose neighbours on the
  /// list of tasks lead back to it. (`INIT_TASK_COMM`, include/linux/init_task.h; "/0" is added by `init_idle`)
  func findFirst(_ search: DataSectionScan) -> UInt64? {
    search.place(of: Array("swapper".utf8)) { place in isFirst(place &- UInt64(comm.offset)) }
      .map { $0 &- UInt64(comm.offset) }
  }

  /// Whether `address` is where `init_task` is.
  func isFirst(_ address: UInt64) -> Bool {
    guard address & 7 == 0, let task = task(at: address), task.pid == 0, task.tgid == 0,
      cpu == nil || task.cpu != nil, task.comm == "swapper" || task.comm.hasPrefix("swapper/")
    else { return false }
    let link = address &+ UInt64(tasks.offset)
    guard let next = space.word(at: link), let previous = space.word(at: link &+ 8) else { return false }
    return space.word(at: next &+ 8) == link && space.word(at: previous) == link
  }
}

extension VmallocReader {
  /// The head of the list of areas up to 6.8: in the data, and one of its first elements an area whose `vm_struct`
  /// has the same address. The list of free areas looks like it, but has none.
  func findHead(_ search: DataSectionScan) -> UInt64? {
    guard types.member("busy.head", of: "vmap_node") == nil, let list = types.member("list", of: "vmap_area"),
      let start = types.member("va_start", of: "vmap_area"), let vm = types.member("vm", of: "vmap_area"),
      let address = types.member("addr", of: "vm_struct")
    else { return nil }
    return search.listHead({ _ in true }) { first in
      var link = first
      for _ in 0..<4 {
        let area = StructView(space: space, address: link &- UInt64(list.offset))
        guard let start = area.number(start), start >> 52 == 0xfff, start & 0xfff == 0, let vm = area.number(vm) else {
          return false
        }
        if vm != 0 { return StructView(space: space, address: vm).number(address) == start }
        guard let next = space.word(at: link) else { return false }
        link = next
      }
      return false
    }
  }
}
