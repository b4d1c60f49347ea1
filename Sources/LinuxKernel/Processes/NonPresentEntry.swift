import Bytes
import KernelLayout
import VMSA

/// What Linux keeps in an entry that the hardware takes as invalid.
package enum NonPresentEntry: Hashable, Sendable {
  /// Nothing: the entry is zero.
  case empty
  /// A page that is there but must not be touched (PROT_NONE, or NUMA balancing's bait), at this address.
  case protNone(PhysicalAddress)
  /// A huge page that is being split, or otherwise taken out for a moment, at this address.
  case presentInvalid(PhysicalAddress)
  /// A page in swap area `type`, in its slot `offset`.
  case swapped(type: Int, offset: UInt64)
  /// A page that is being moved from this address to another.
  case migration(PhysicalAddress)
  /// A page whose memory failed.
  case poisoned(PhysicalAddress)
  /// A page in a device's memory, or lent to a device: the kernel's numbers for it.
  case device(type: Int, offset: UInt64)
  /// A note that the kernel left where a page was (userfaultfd, guard pages).
  case marker(UInt64)
  /// A page that could not be read back from swap.
  case swapError
  /// A swap entry whose fields cannot be told, since the kernel's version is not known.
  case unknown

  /// The name that JSON has for it.
  package var name: String {
    switch self {
    case .empty: "empty"
    case .protNone: "prot-none"
    case .presentInvalid: "present-invalid"
    case .swapped: "swapped"
    case .migration: "migration"
    case .poisoned: "poisoned"
    case .device: "device"
    case .marker: "marker"
    case .swapError: "swap-error"
    case .unknown: "not-present"
    }
  }
}

/// How a kernel writes entries of pages that are not mapped.
///
///     4.0 to 5.18     | offset 57:8   | type 7:2 |  0  0 |   bit 58 PROT_NONE
///     5.19 to 6.9     | offset 57:8   | type 7:3 | X|0 0 |   bit 58 PROT_NONE, X exclusive
///     6.10 and later  | offset 61:12  | 0 | type 10:6 |.. U X|0 0 |   bit 11 is set where a page is present
///
/// (arch/arm64/include/asm/pgtable.h, `__swp_type`; `PTE_PRESENT_INVALID`, asm/pgtable-prot.h)
struct SwapEncoding: Hashable, Sendable {
  let typeShift: UInt64
  let typeBits: UInt64
  let offsetShift: UInt64
  /// The bit that says, of an invalid entry, that it has a page all the same.
  let presentBit: UInt64

  static let sixBitTypes = Self(typeShift: 2, typeBits: 6, offsetShift: 8, presentBit: 58)
  static let fiveBitTypes = Self(typeShift: 3, typeBits: 5, offsetShift: 8, presentBit: 58)
  static let presentInvalid = Self(typeShift: 6, typeBits: 5, offsetShift: 12, presentBit: 11)

  /// PMD_PRESENT_INVALID, 5.10 to 6.9. No older entry has the bit.
  static let splitBit: UInt64 = 59

  func type(_ entry: UInt64) -> Int { Int(entry >> typeShift & (1 << typeBits - 1)) }
  func offset(_ entry: UInt64) -> UInt64 { entry >> offsetShift & (1 << 50 - 1) }
}

/// The numbers above those of swap areas: counted down from the last, as far as the kernel was built with each.
/// (include/linux/swap.h, `MAX_SWAPFILES`)
struct SwapTypes: Hashable, Sendable {
  var errors: Int
  var markers: Int
  var devices: Int
  var migrations: Int
  var poison: Int

  /// A swap entry's meaning.
  ///
  /// - Parameter physicalBits: MAX_PHYSMEM_BITS. Above the frame number a migration entry keeps whether the page was young
  ///   and dirty. (`SWP_PFN_MASK`, include/linux/swapops.h; 2e3468778dbe "mm: remember young/dirty bit for page
  ///   migrations", 6.1)
  func page(type: Int, offset: UInt64, pageShift: UInt64, physicalBits: Int) -> NonPresentEntry {
    let frame = PhysicalAddress(offset << pageShift & (1 << UInt64(physicalBits) - 1))
    // Five bits since the beginning (MAX_SWAPFILES_SHIFT), whatever the entry has room for.
    var end = 32
    if type >= end - errors { return .swapError }
    end -= errors
    if type >= end - markers { return .marker(offset) }
    end -= markers
    if type >= end - devices { return .device(type: type, offset: offset) }
    end -= devices
    if type >= end - migrations { return .migration(frame) }
    end -= migrations
    return type >= end - poison ? .poisoned(frame) : .swapped(type: type, offset: offset)
  }
}

/// Reads the entries that this kernel writes for pages that are not mapped.
struct NonPresentEntryReader: Sendable {
  private let facts: KernelFacts
  private let vmcoreinfo: VMCoreInfo?
  private let symbols: KernelSymbols

  init(_ context: KernelContext) {
    facts = context.facts
    vmcoreinfo = context.vmcoreinfo
    symbols = context.symbols
  }

  /// How this kernel writes entries that are not mapped; nil if unknown.
  ///
  /// VMCOREINFO's NUMBER(PG_slab) gave way to PAGE_SLAB_MAPCOUNT_VALUE in 6.10, and the lines of kallsyms came
  /// in 6.0; the version decides only between 5.18 and 5.19.
  private var swapEncoding: SwapEncoding? {
    if vmcoreinfo?.number("PAGE_SLAB_MAPCOUNT_VALUE") != nil { return .presentInvalid }
    if vmcoreinfo?.number("PG_slab") == nil {
      guard let hasPresentInvalid = facts.has(.presentInvalidEntries) else { return nil }
      if hasPresentInvalid { return .presentInvalid }
    }
    if vmcoreinfo?.symbol("kallsyms_names") != nil { return .fiveBitTypes }
    return facts.has(.exclusiveSwapEntries).map { $0 ? .fiveBitTypes : .sixBitTypes }
  }

  /// Which numbers are not swap areas, by the functions that the kernel has for each.
  private var swapTypes: SwapTypes {
    let names = [
      "memory_failure", "migrate_pages", "make_device_exclusive_range", "make_device_exclusive", "migrate_vma_setup",
    ]
    let built = symbols.addresses(of: names)
    // Migration has a third number with exclusive entries. So have pages that swap could not give back, until every
    // kernel had markers, which say that too; before, markers were for userfaultfd's write protection alone, which
    // arm64 did not have. A device's pages have two numbers, and two more for those that are lent to a device: one since
    // 6.15, whose function has a shorter name.
    let isNew = facts.has(.exclusiveSwapEntries) ?? true
    let hasMarkers = facts.has(.swapErrorsAreMarkers) ?? true
    let devices =
      built["make_device_exclusive_range"] != nil
      ? 4
      : built["make_device_exclusive"] != nil
        ? 3 : built["migrate_vma_setup"] != nil && facts.has(.deviceExclusivePages) == false ? 2 : 0
    return SwapTypes(
      errors: isNew && !hasMarkers ? 1 : 0, markers: hasMarkers ? 1 : 0, devices: devices,
      migrations: built["migrate_pages"] == nil ? 0 : isNew ? 3 : 2, poison: built["memory_failure"] == nil ? 0 : 1)
  }

  /// What `entry`, which is invalid and ended a walk through tables of user space at `level`, says.
  func page(_ entry: UInt64, level: Int, of user: TranslationRegime) -> NonPresentEntry {
    guard entry != 0 else { return .empty }
    let frame = user.format.outputAddress(entry, shift: user.granule.shift(level: level))
    guard let encoding = swapEncoding else { return .unknown }
    if entry >> encoding.presentBit & 1 == 1 {
      // Since 6.10 the bit alone says no more than that a page is there: PROT_NONE has it with neither access
      // nor execution for EL0 (`pte_protnone`).
      let bits = Descriptor.Bits(rawValue: entry)
      let isProtNone = encoding != .presentInvalid || bits.intersection([.ap1, .uxn]) == [.uxn]
      return isProtNone ? .protNone(frame) : .presentInvalid(frame)
    }
    if encoding != .presentInvalid, level < 3, entry >> SwapEncoding.splitBit & 1 == 1 { return .presentInvalid(frame) }
    return swapTypes.page(
      type: encoding.type(entry), offset: encoding.offset(entry), pageShift: UInt64(user.granule.pageShift),
      physicalBits: facts.physicalBits?.value ?? user.physicalBits)
  }
}
