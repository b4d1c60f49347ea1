import Bytes
import CrashDump
import KernelLayout
import VMSA

/// Flags answers that rest on entries Linux never writes.
///
/// An overwritten table is still a table to the MMU: half of all random words are invalid entries, a quarter are pages.
/// But Linux fills in descriptors in few ways, and arithmetic gives the targets of the linear map and the image. So
/// each answer is checked against the entries that gave it, two of their neighbours, and arithmetic, at the cost of a
/// few comparisons and two words of a table just read. If nothing is mapped, the check covers all of the table near the
/// entry, and whether something must be mapped there: RAM in the linear map, its `struct page`s in vmemmap, and the
/// image.
///
/// A table overwritten with another one is detected if one of these checks fails, or because it occurs twice.
/// (arch/arm64/include/asm/pgtable-prot.h and pgtable-hwdef.h, 4.19 to 7.0)
struct EntryChecks: Sendable {
  private let regime: TranslationRegime
  private let dump: DumpFile
  private let memory: any PhysicalMemory
  private let types: MemoryAttributeIndirection?
  /// The end of RAM; nil if the dump does not describe RAM, such as a dump of only the tables.
  private let endOfRAM: UInt64?
  private let image: ImageSpan
  private let arithmetic: Lazy<Arithmetic>
  /// Duplicate tables.
  let twins: Lazy<DuplicateTables>
  let linearMap: AddressLayout.Span?
  private let vmemmap: Lazy<Vmemmap?>
  private let sections: Lazy<ImageSections>

  /// The bits that no table descriptor of Linux has: all but the address, bits 1:0, AF (6.14) and the attributes in
  /// bits 63:59.
  private let tableReserved: Descriptor.Bits
  /// The bits that every leaf of the kernel's half has: AF, UXN, and SH = 11 if the format has shareability.
  private let leafSet: Descriptor.Bits
  /// Those bits, and those that no leaf has: bit 63, NS, AP[1], and address bits beyond the format's.
  private let leafBits: Descriptor.Bits

  /// - Parameters:
  ///   - types: MAIR_EL1, if it follows from the kernel.
  ///   - arithmetic: the targets of the linear map and the image.
  ///   - sections: the sections of the image.
  init(
    _ context: KernelContext, types: MemoryAttributeIndirection?, arithmetic: Lazy<Arithmetic>,
    sections: Lazy<ImageSections>
  ) {
    regime = context.regime
    dump = context.dump
    memory = context.dump.memory
    image = context.image
    self.types = types
    self.arithmetic = arithmetic
    self.sections = sections
    // An assumed sizeof(struct page) is not grounds for doubt.
    let isSizeKnown = context.vmcoreinfo?.size("page") != nil
    vmemmap = Lazy { isSizeKnown ? context.vmemmap(arithmetic.value) : nil }
    let format = context.regime.format
    let meaning = format.addressBits.union([.valid, .table, .af, .tableRestrictions])
    tableReserved = Descriptor.Bits(rawValue: ~meaning.rawValue)
    leafSet = format.hasShareability ? [.uxn, .af, .sh] : [.uxn, .af]
    leafBits = leafSet.union([.bit63, .ap1, .ns]).union(.address.subtracting(format.addressBits))
    endOfRAM = context.dump.describesRAM(context.facts, context.vmcoreinfo) ? context.dump.endOfMemory : nil
    linearMap = context.layout.layout?.linearMap
    let spans = [context.layout.layout?.linearMap, context.layout.layout?.kasanShadow].compactMap { $0 }
    twins = Lazy { [regime, memory, limit = context.tableLimit] in
      DuplicateTables(
        regime, in: memory, limit: limit, linearOffset: arithmetic.value.linearOffset?.value, without: spans)
    }
  }

  /// Why an answer may rest on damaged tables; nil if nothing suggests that.
  ///
  /// - Parameters:
  ///   - steps: the entries that were read for it, from the root down.
  ///   - region: where the address lies.
  func doubt(
    _ address: VirtualAddress, _ result: WalkResult, _ steps: [WalkStep], _ absence: Absence?, in region: Region?
  ) -> Diagnostic? {
    for step in steps where step.kind == .table && !step.descriptor.bits.isDisjoint(with: tableReserved) {
      return Diagnostic(
        .oddEntry, hex(step.address.rawValue),
        "the table entry at level \(step.level), \(hex(step.descriptor.rawValue)), has bits that no kernel sets")
    }
    guard let last = steps.last, address.isUpperHalf else { return nil }
    if let table = repeatedTable(steps) {
      return Diagnostic(
        .tableLoop, hex(table.rawValue),
        "the table at \(hex(table.rawValue)) was passed twice: the tables lead to themselves")
    }
    return doubt(address, result, last, absence, region) ?? twin(steps, address, region)
  }

  private func doubt(
    _ address: VirtualAddress, _ result: WalkResult, _ last: WalkStep, _ absence: Absence?, _ region: Region?
  ) -> Diagnostic? {
    switch result {
    case .mapped(let leaf):
      if let expected = expected(address, region), expected != leaf.physical {
        return Diagnostic(
          .arithmeticDiffers,
          "the tables lead to \(hex(leaf.physical.rawValue)), where arithmetic has \(hex(expected.rawValue))")
      }
      guard isLeaf(last.descriptor.rawValue) else { return oddEntry(last) }
      if absence == .notInDump, let endOfRAM, leaf.physical.rawValue >= endOfRAM, isCached(leaf.attributes) {
        return Diagnostic(.beyondRAM, "it is mapped as memory, but RAM ends at \(hex(endOfRAM))")
      }
      if region == .guardRegion || region == .hole {
        return Diagnostic(.unexpectedMapping, region?.rawValue, "no kernel maps anything here")
      }
      if leaf.level == 1, regime.granule == .sixtyFourKiB, regime.physicalBits < 52 {
        return Diagnostic(
          .unusualBlock,
          "a block of 4 TiB at level 1 is unusual for this width: it takes physical addresses of 52 bits, and these "
            + "have \(regime.physicalBits)")
      }
      return neighbours(last)
    case .unmapped:
      guard isPlausible(last.descriptor, last.level) else { return oddEntry(last) }
      return mustBeMapped(address, last, region) ?? surroundings(address, last, region)
    default: return nil
    }
  }

  /// A table visited at two levels.
  private func repeatedTable(_ steps: [WalkStep]) -> PhysicalAddress? {
    for (number, step) in steps.enumerated().dropFirst() {
      let here = step.table
      if steps[..<number].contains(where: { $0.table == here }) { return here }
    }
    return nil
  }

  /// A doubt about a table with a duplicate, if arithmetic does not show which of the two was overwritten.
  private func twin(_ steps: [WalkStep], _ address: VirtualAddress, _ region: Region?) -> Diagnostic? {
    guard let region, region != .linearMap, region != .kasanShadow, !image.alwaysMapped.contains(address.rawValue)
    else {
      return nil
    }
    for step in steps.dropFirst() {
      guard let other = twins.value.other(step.table) else { continue }
      let here = hex(step.table.rawValue)
      return Diagnostic(
        .duplicateTable, here,
        other == step.table
          ? "its table of level \(step.level), at \(here), is that of other addresses too"
          : "its table of level \(step.level), at \(here), is equal to that at \(hex(other.rawValue)): one was written "
            + "over the other")
    }
    return nil
  }

  /// Why something must be mapped at `address`, although the entry `last` maps nothing.
  private func mustBeMapped(_ address: VirtualAddress, _ last: WalkStep, _ region: Region?) -> Diagnostic? {
    if image.alwaysMapped.contains(address.rawValue) || image.namedData.contains(address.rawValue) {
      return Diagnostic(.mappingMissing, "kernel image", "the kernel image is mapped here on every machine")
    }
    switch region {
    case .kernelImage?:
      // Init memory is freed and unmapped after boot; what precedes the text is never mapped.
      guard let text = image.text, address.rawValue >= text,
        let section = sections.value.section(of: address.rawValue), section != "init"
      else {
        return nil
      }
      return Diagnostic(.mappingMissing, section, "the kernel's \(section) is mapped here on every machine")
    case .linearMap?:
      // A present-invalid entry keeps its other bits.
      guard endOfRAM != nil, last.descriptor.rawValue == 0, let physical = expected(address, region),
        memory.absence(at: physical) != .notInDump
      else { return nil }
      return Diagnostic(
        .mappingMissing, region?.rawValue,
        "by arithmetic RAM is here, at \(hex(physical.rawValue)): memory that is kept from the kernel, or an "
          + "overwritten table")
    case .vmemmap?:
      guard let linearMap, let frame = vmemmap.value?.frame(describedAt: address), let offset = linearOffset
      else { return nil }
      let page = (frame << UInt64(regime.granule.pageShift)) &+ offset
      guard page >= linearMap.start, page &- linearMap.start < linearMap.size,
        dump.memory.walk(regime, VirtualAddress(page)).leaf != nil
      else { return nil }
      return Diagnostic(
        .mappingMissing, region?.rawValue, "the linear map has page frame \(frame), which is described here")
    default: return nil
    }
  }

  /// Virtual minus physical address in the linear map; nil if unknown.
  var linearOffset: UInt64? { arithmetic.value.linearOffset?.value }

  /// Why nothing is mapped at `address` in the linear map, whose entry `last` has lost only its valid bit: the kernel
  /// has unmapped its linear alias of the image's data. nil elsewhere.
  func reasonUnmapped(_ address: VirtualAddress, _ last: WalkStep?, in region: Region?) -> String? {
    guard region == .linearMap, let last, last.descriptor.rawValue & 1 == 0, isLeaf(last.descriptor.rawValue),
      let physical = expected(address, region)?.rawValue, let offset = image.offset,
      case let alias = physical &+ offset,
      image.isData(
        alias, sections.value,
        isWritable: dump.memory.walk(regime, VirtualAddress(alias)).leaf?.attributes.isWritable ?? false),
      image.addresses(regime, in: dump)?.contains(alias) ?? false
    else { return nil }
    return KnownOddity.Code.unmappedDataAlias
  }

  private func oddEntry(_ step: WalkStep) -> Diagnostic {
    Diagnostic(
      .oddEntry, hex(step.address.rawValue),
      "the entry at level \(step.level), \(hex(step.descriptor.rawValue)), is none that a kernel writes")
  }

  /// The physical address of `address` by arithmetic; nil if no rule applies.
  private func expected(_ address: VirtualAddress, _ region: Region?) -> PhysicalAddress? {
    if image.alwaysMapped.contains(address.rawValue) || image.namedData.contains(address.rawValue)
      || region == .kernelImage
    {
      return image.offset.map { PhysicalAddress(address.rawValue &- $0) }
    }
    return region == .linearMap ? arithmetic.value.answer(address, in: region)?.physical : nil
  }

  private func isCached(_ attributes: Attributes) -> Bool {
    guard let type = types?.memoryType(attributes.attrIndex) else { return false }
    return type == .normal || type == .normalTagged || type == .normalWriteThrough
  }

  /// Whether this leaf is plausible in the kernel's half.
  func isLeaf(_ raw: UInt64) -> Bool {
    Descriptor.Bits(rawValue: raw).intersection(leafBits) == leafSet
  }

  /// Whether this entry is plausible in a table of `level` in the kernel's half. A present-invalid entry keeps all bits
  /// but bit 0 (`set_memory_valid`, arch/arm64/mm/pageattr.c).
  private func isPlausible(_ entry: Descriptor, _ level: Int) -> Bool {
    switch entry.kind(level: level, format: regime.format) {
    case .invalid: entry.rawValue == 0 || isLeaf(entry.rawValue)
    case .table: entry.bits.isDisjoint(with: tableReserved)
    case .block, .page: isLeaf(entry.rawValue)
    case .reserved: false
    }
  }

  /// A doubt from two neighbouring entries of the same table.
  private func neighbours(_ step: WalkStep) -> Diagnostic? {
    for distance in [1, 2] {
      let index = step.index ^ distance
      // A root may have as few as two entries.
      guard step.level > regime.startLevel || index < regime.rootEntries else { continue }
      let place = step.address &+ UInt64(bitPattern: Int64(index - step.index) * 8)
      guard let raw = try? memory.word(at: place), !isPlausible(Descriptor(rawValue: raw), step.level) else { continue }
      return oddNeighbour(step, raw, place)
    }
    return nil
  }

  /// A doubt from the 4 KiB of entries around an empty one, the smallest unit that is overwritten or left out of a
  /// dump.
  private func surroundings(_ address: VirtualAddress, _ step: WalkStep, _ region: Region?) -> Diagnostic? {
    guard step.level > regime.startLevel else {
      if region == .linearMap, let offset = linearOffset,
        memory.walk(regime, VirtualAddress(regime.root.rawValue &+ offset)).leaf?.physical != regime.root
      {
        return Diagnostic(.rootUnmapped, "the root table itself is not in the linear map that it leads to")
      }
      return neighbours(step)
    }
    let start = PhysicalAddress(step.address.rawValue & ~4095)
    guard let bytes = try? memory.bytes(at: start, count: 4096) else { return nil }
    let shift = UInt64(regime.granule.shift(level: step.level))
    // The address that the first of them translates.
    let first = (address.rawValue &>> shift &- (step.address.rawValue & 4095) / 8) &<< shift
    var isEmpty = true
    for number in 0..<512 {
      guard let raw = bytes.rawSpan.integer(UInt64.self, at: number * 8), raw != 0 else { continue }
      isEmpty = false
      let entry = Descriptor(rawValue: raw)
      let place = start &+ UInt64(number * 8)
      guard isPlausible(entry, step.level) else { return oddNeighbour(step, raw, place) }
      guard region == .linearMap, entry.kind(level: step.level, format: regime.format) != .table,
        raw & 1 == 1, let offset = linearOffset
      else { continue }
      let here = first &+ UInt64(number) &<< shift
      let physical = regime.format.outputAddress(raw, shift: Int(shift))
      if here &- offset != physical.rawValue {
        return Diagnostic(
          .oddNeighbour, hex(place.rawValue),
          "its table has an entry of another place than the linear map, \(hex(raw)) at \(hex(place.rawValue))")
      }
    }
    guard isEmpty else { return nil }
    // The kernel allocates a table only to fill it, and frees it when it becomes empty, if it frees tables at all;
    // vmalloc may leave empty tables of the last level.
    let isFilled = region == .linearMap || region == .vmemmap
    if regime.granule == .fourKiB {
      guard isFilled || step.level < 3 else { return nil }
      return Diagnostic(
        .emptyTable, hex(start.rawValue),
        "its table of level \(step.level), at \(hex(start.rawValue)), is empty, as none is here")
    }
    guard region == .linearMap, endOfRAM == nil,
      [first &- 1, first &+ 512 &<< shift].allSatisfy({ memory.walk(regime, VirtualAddress($0)).leaf != nil })
    else { return nil }
    return Diagnostic(
      .emptyTable, hex(start.rawValue),
      "4 KiB of its table, at \(hex(start.rawValue)), are empty between entries that map RAM: a hole in RAM, or "
        + "an overwritten table")
  }

  private func oddNeighbour(_ step: WalkStep, _ raw: UInt64, _ place: PhysicalAddress) -> Diagnostic {
    Diagnostic(
      .oddNeighbour, hex(place.rawValue),
      "the table of level \(step.level) that it rests on has an entry that no kernel writes, \(hex(raw)) at "
        + hex(place.rawValue))
  }
}
