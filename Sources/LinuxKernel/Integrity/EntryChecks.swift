import Bytes
import CrashDump
import KernelLayout
import VMSA

/// Tells answers that rest on tables which no kernel wrote.
///
/// What was written over a table is, to the MMU, a table all the same: half of all random words are an invalid entry,
/// a quarter a page. But Linux fills an entry in few ways, and where the linear map and the image lead is known by
/// arithmetic. So each answer is held against the entries that gave it, two of their neighbours, and arithmetic. It
/// costs a few comparisons, and two words of a table that was just read. Where nothing is mapped, all of the table
/// near the entry is looked at, and whether something has to be mapped there: in the linear map RAM, in vmemmap what
/// describes RAM, and the image.
///
/// A table that was overwritten with another is seen where one of these knows better, and by its being there twice.
/// (arch/arm64/include/asm/pgtable-prot.h and pgtable-hwdef.h, 4.19 to 7.0)
struct EntryChecks: Sendable {
  private let regime: TranslationRegime
  private let dump: DumpFile
  private let memory: any PhysicalMemory
  private let types: MemoryAttributeIndirection?
  /// RAM ends here; nil if the dump does not describe RAM, as one of tables alone.
  private let endOfRAM: UInt64?
  private let image: ImageSpan
  private let arithmetic: Lazy<Arithmetic>
  /// Tables that were written over others.
  let twins: Lazy<DuplicateTables>
  let linearMap: AddressLayout.Span?
  private let vmemmap: Lazy<Vmemmap?>
  private let sections: Lazy<ImageSections>

  /// What no table entry of Linux has: all but the address, bits 1:0, AF (6.14) and the attributes in bits 63:59.
  private let tableReserved: Descriptor.Bits
  /// What every leaf of the kernel's half has: AF, UXN, and SH = 11 where the format has shareability.
  private let leafSet: Descriptor.Bits
  /// Those, and what none has: bit 63, NS, AP[1], and address bits beyond the format's.
  private let leafBits: Descriptor.Bits

  /// - Parameters:
  ///   - types: MAIR_EL1, where it follows from the kernel.
  ///   - arithmetic: where the linear map and the image lead.
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
    // No doubt rests on a size of struct page that is assumed.
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

  /// Why an answer may rest on damaged tables; nil if unknown.
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

  /// A table that was passed at two levels.
  private func repeatedTable(_ steps: [WalkStep]) -> PhysicalAddress? {
    for (number, step) in steps.enumerated().dropFirst() {
      let here = step.table
      if steps[..<number].contains(where: { $0.table == here }) { return here }
    }
    return nil
  }

  /// A table that was written over another, or the other way round, where no arithmetic tells.
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

  /// Why something has to be mapped at `address`, which the entry `last` leaves out.
  private func mustBeMapped(_ address: VirtualAddress, _ last: WalkStep, _ region: Region?) -> Diagnostic? {
    if image.alwaysMapped.contains(address.rawValue) || image.namedData.contains(address.rawValue) {
      return Diagnostic(.mappingMissing, "kernel image", "the kernel image is mapped here on every machine")
    }
    switch region {
    case .kernelImage?:
      // What boots the kernel is freed, and then not mapped; what stands before the text never is.
      guard let text = image.text, address.rawValue >= text,
        let section = sections.value.section(of: address.rawValue), section != "init"
      else {
        return nil
      }
      return Diagnostic(.mappingMissing, section, "the kernel's \(section) is mapped here on every machine")
    case .linearMap?:
      // An entry that is taken out for a while keeps its bits.
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

  /// Why nothing is mapped at `address` in the linear map, whose entry `last` keeps all but its valid bit: the kernel
  /// has taken its alias of the image's data away. nil elsewhere.
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

  /// Where arithmetic puts `address`; nil if there is no rule for it.
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

  /// Whether the kernel's half may have this leaf.
  func isLeaf(_ raw: UInt64) -> Bool {
    Descriptor.Bits(rawValue: raw).intersection(leafBits) == leafSet
  }

  /// Whether a table of `level` of the kernel's half may have this entry. One that is taken out for a while keeps all
  /// but its bit 0 (`set_memory_valid`, arch/arm64/mm/pageattr.c).
  private func isPlausible(_ entry: Descriptor, _ level: Int) -> Bool {
    switch entry.kind(level: level, format: regime.format) {
    case .invalid: entry.rawValue == 0 || isLeaf(entry.rawValue)
    case .table: entry.bits.isDisjoint(with: tableReserved)
    case .block, .page: isLeaf(entry.rawValue)
    case .reserved: false
    }
  }

  /// What two entries of the same table say of it.
  private func neighbours(_ step: WalkStep) -> Diagnostic? {
    for distance in [1, 2] {
      let index = step.index ^ distance
      // A root may have two entries.
      guard step.level > regime.startLevel || index < regime.rootEntries else { continue }
      let place = step.address &+ UInt64(bitPattern: Int64(index - step.index) * 8)
      guard let raw = try? memory.word(at: place), !isPlausible(Descriptor(rawValue: raw), step.level) else { continue }
      return oddNeighbour(step, raw, place)
    }
    return nil
  }

  /// What the entries around an empty one say of its table: 4 KiB of them, the least that is overwritten or left
  /// out of a dump as a whole.
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
    // What the first of them stands for.
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
    // The kernel makes a table where it fills it. It frees one that becomes empty if it frees tables at all; of
    // vmalloc's those of the last level may be left.
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
