import Bytes
import DebugInfo
import KernelLayout

/// Reads the VMAs of a process: from its maple tree, or before 6.1 from their list. (`struct mm_struct`,
/// include/linux/mm_types.h; `show_map_vma`, fs/proc/task_mmu.c)
struct UserMappingReader: Sendable {
  private let memory: KernelMemory
  private let names: KernelNames
  private let version: KernelVersion?
  private let flagNames: VMAFlags
  private let pageShift: UInt64
  private let files: OpenedFileReader
  private let tree: TypeMember?
  private let firstArea: TypeMember?
  private let nextArea: TypeMember?
  private let count: TypeMember?
  private let heapStart: TypeMember?
  private let heapEnd: TypeMember?
  private let stackStart: TypeMember?
  private let start: TypeMember
  private let end: TypeMember
  private let flags: TypeMember
  private let pageOffset: TypeMember
  private let file: TypeMember
  private let operations: TypeMember?
  private let privateData: TypeMember?
  private let nameFunction: TypeMember?
  private let anonymousName: TypeMember?
  /// Whether `anon_name` shares its place with a member of file VMAs (up to 6.1).
  private let sharesAnonymousName: Bool
  private let anonymousText: Int

  /// nil if the types are unknown.
  init?(_ context: KernelContext, _ names: KernelNames) {
    let types = context.types.value
    func area(_ names: String...) -> TypeMember? {
      names.lazy.compactMap { types.member($0, of: "vm_area_struct") }.first
    }
    func mm(_ name: String) -> TypeMember? { types.member(name, of: "mm_struct") }
    guard let files = OpenedFileReader(context, names), let start = area("vm_start"), let end = area("vm_end"),
      let flags = area("vm_flags", "flags"), let pageOffset = area("vm_pgoff"), let file = area("vm_file")
    else { return nil }
    tree = mm("mm_mt.ma_root")
    firstArea = mm("mmap")
    nextArea = area("vm_next")
    guard tree != nil || firstArea != nil && nextArea != nil else { return nil }
    memory = context.memory
    self.names = names
    version = context.facts.version
    // The enumerators came with the bitmap type vma_flags_t.
    let constants = area("flags") == nil ? [] : types.constants(beside: "VMA_READ_BIT")
    flagNames = VMAFlags(constants.map { ($0.name, $0.value) }, context.facts.version)
    pageShift = UInt64(context.regime.granule.pageShift)
    self.files = files
    self.start = start
    self.end = end
    self.flags = flags
    self.pageOffset = pageOffset
    self.file = file
    count = mm("map_count")
    heapStart = mm("start_brk")
    heapEnd = mm("brk")
    stackStart = mm("start_stack")
    operations = area("vm_ops")
    privateData = area("vm_private_data")
    nameFunction = types.member("name", of: "vm_operations_struct")
    anonymousName = area("anon_name")
    sharesAnonymousName = anonymousName != nil && anonymousName?.offset == area("shared")?.offset
    anonymousText = types.member("name", of: "anon_vma_name")?.offset ?? 4
  }

  /// The VMAs of the `mm_struct` at `mm`, in address order.
  func mappings(of mm: UInt64) -> Listing<UserMapping> {
    let areas = areas(of: mm)
    let details = StructView(space: memory, address: mm)
    let process = Process(
      heap: (details.number(heapStart) ?? 0, details.number(heapEnd) ?? 0), stack: details.number(stackStart) ?? 0)
    var known: [UInt64: OpenedFileReader.File?] = [:]
    var mappings = Listing<UserMapping>(notes: areas.notes)
    for address in areas.elements {
      guard let mapping = mapping(at: address, process, &known) else {
        mappings.note(
          .objectUnreadable, hex(address), text: "the VMA at \(hex(address)) cannot be read, or is damaged")
        continue
      }
      mappings.elements.append(mapping)
    }
    let found = mappings.elements.count
    if mappings.notes.isEmpty, let count = details.number(count), count != UInt64(found) {
      mappings.note(.countDiffers, "map_count", text: "\(found) VMAs were found, but map_count is \(count)")
    }
    return mappings
  }

  /// The addresses of the VMAs.
  private func areas(of mm: UInt64) -> Listing<UInt64> {
    var result = Listing<UInt64>()
    if let tree {
      guard let root = StructView(space: memory, address: mm).number(tree) else {
        result.note(.objectUnreadable, hex(mm), text: "the mm_struct at \(hex(mm)) cannot be read")
        return result
      }
      var maple = MapleTree(root: root, in: memory)
      while let entry = maple.next() { result.elements.append(entry.value) }
      if let problem = maple.problem { result.note(.listBroken, "mm_mt", text: problem) }
      return result
    }
    var here = StructView(space: memory, address: mm).pointer(firstArea)
    var seen: Set<UInt64> = []
    while let area = here, area != 0 {
      guard seen.insert(area).inserted, result.elements.count < Limits.listElements else {
        result.note(.listBroken, "mmap", text: "the list of VMAs runs in a circle at \(hex(area)): it is damaged")
        return result
      }
      result.elements.append(area)
      here = StructView(space: memory, address: area).pointer(nextArea)
    }
    if here == nil { result.note(.listBroken, "mmap", text: "the list of VMAs breaks off: a link cannot be read") }
    return result
  }

  /// The parts of `mm_struct` that determine the name of a VMA.
  private struct Process {
    var heap: (start: UInt64, end: UInt64)
    var stack: UInt64
  }

  private func mapping(
    at address: UInt64, _ process: Process, _ known: inout [UInt64: OpenedFileReader.File?]
  ) -> UserMapping? {
    let area = StructView(space: memory, address: address)
    guard let first = area.number(start), let last = area.number(end), first < last, last >> 55 == 0,
      let flags = area.number(flags), let pages = area.number(pageOffset), let pointer = area.pointer(file)
    else { return nil }
    var opened: OpenedFileReader.File?
    if pointer != 0 {
      opened = known[pointer] ?? files.file(at: pointer)
      known[pointer] = .some(opened)
    }
    let name =
      pointer != 0
      ? anonymousName(area, hasFile: true).map { "[anon_shmem:\($0)]" } ?? opened?.path
      : name(area, first..<last, process)
    let device = opened?.device ?? 0
    return UserMapping(
      structure: address, start: first, end: last, flags: flags, offset: pointer == 0 ? 0 : pages &<< pageShift,
      file: pointer == 0 ? nil : pointer, device: (device >> 20, device & 0xf_ffff), inode: opened?.inode ?? 0,
      name: name, flagNames: flagNames.names(flags))
  }

  /// The name of a VMA without a file.
  private func name(_ area: StructView, _ range: Range<UInt64>, _ process: Process) -> String? {
    if let special = specialName(area) { return special }
    let (start, end) = process.heap
    // Before 6.8, a VMA that only touches the heap counts as heap. (`vma_is_initial_heap`, include/linux/mm.h)
    let touches = range.lowerBound <= end && range.upperBound >= start
    let overlaps = range.lowerBound < end && range.upperBound > start
    if version?.has(.heapMustOverlap) ?? true ? overlaps : touches { return "[heap]" }
    if range.lowerBound <= process.stack, range.upperBound >= process.stack { return "[stack]" }
    return anonymousName(area, hasFile: false).map { "[anon:\($0)]" }
  }

  /// The name from the VMA's own operations: for `_install_special_mapping`, the name in its descriptor. (`struct
  /// vm_special_mapping`, include/linux/mm_types.h)
  private func specialName(_ area: StructView) -> String? {
    guard let nameFunction, let table = area.pointer(operations), table != 0,
      let function = StructView(space: memory, address: table).pointer(nameFunction), function != 0,
      names.symbol(containing: function)?.name.hasPrefix("special_mapping_name") ?? false,
      let description = area.pointer(privateData), let text = memory.pointer(at: description)
    else { return nil }
    return memory.string(at: text, limit: 64)
  }

  /// The name that the process gave to anonymous memory (PR_SET_VMA_ANON_NAME; ANON_VMA_NAME_MAX_LEN).
  private func anonymousName(_ area: StructView, hasFile: Bool) -> String? {
    guard let anonymousName, !hasFile || !sharesAnonymousName, let name = area.pointer(anonymousName), name != 0 else {
      return nil
    }
    return memory.string(at: name &+ UInt64(anonymousText), limit: 80)
  }
}
