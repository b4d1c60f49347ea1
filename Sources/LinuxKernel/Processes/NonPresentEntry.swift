import Bytes
import KernelLayout
import VMSA

/// What Linux stores in an entry that the hardware treats as invalid.
package enum NonPresentEntry: Hashable, Sendable {
  /// Nothing: the entry is zero.
  case empty
  /// A page present but inaccessible (PROT_NONE, or a NUMA hinting fault), at this address.
  case protNone(PhysicalAddress)
  /// A present-invalid entry (a huge page being split, for example), at this address.
  case presentInvalid(PhysicalAddress)
  /// A page in swap area `type`, in its slot `offset`.
  case swapped(type: Int, offset: UInt64)
  /// A page being migrated from this address.
  case migration(PhysicalAddress)
  /// A hardware-poisoned page.
  case poisoned(PhysicalAddress)
  /// A device-private or device-exclusive page: the kernel's numbers for it.
  case device(type: Int, offset: UInt64)
  /// A PTE marker (userfaultfd, guard pages).
  case marker(UInt64)
  /// A page that could not be read back from swap.
  case swapError
  /// A swap entry whose encoding is unknown, since the kernel's version is.
  case unknown

  /// Its name in JSON.
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

/// A kernel's encoding of swap entries.
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
  /// The bit that marks an invalid entry as holding a page.
  let presentBit: UInt64

  static let sixBitTypes = Self(typeShift: 2, typeBits: 6, offsetShift: 8, presentBit: 58)
  static let fiveBitTypes = Self(typeShift: 3, typeBits: 5, offsetShift: 8, presentBit: 58)
  static let presentInvalid = Self(typeShift: 6, typeBits: 5, offsetShift: 12, presentBit: 11)

  /// PMD_PRESENT_INVALID, 5.10 to 6.9. No older entry has the bit.
  static let splitBit: UInt64 = 59

  func type(_ entry: UInt64) -> Int { Int(entry >> typeShift & (1 << typeBits - 1)) }
  func offset(_ entry: UInt64) -> UInt64 { entry >> offsetShift & (1 << 50 - 1) }
}

/// The types above those of swap areas, counted down from the last, if the kernel was built with them.
/// (include/linux/swap.h, `MAX_SWAPFILES`)
struct SwapTypes: Hashable, Sendable {
  var errors: Int
  var markers: Int
  var devices: Int
  var migrations: Int
  var poison: Int

  /// The meaning of a swap entry.
  ///
  /// - Parameter physicalBits: MAX_PHYSMEM_BITS. Above the frame number a migration entry keeps whether the page was young
  ///   and dirty. (`SWP_PFN_MASK`, include/linux/swapops.h; 2e3468778dbe "mm: remember young/dirty bit for page
  ///   migrations", 6.1)
  func page(type: Int, offset: UInt64, pageShift: UInt64, physicalBits: Int) -> NonPresentEntry {
    let frame = PhysicalAddress(offset << pageShift & (1 << UInt64(physicalBits) - 1))
    // Always five bits (MAX_SWAPFILES_SHIFT), whatever the entry has room for.
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

/// Decodes this kernel's non-present entries.
struct NonPresentEntryReader: Sendable {
  private let facts: KernelFacts
  private let vmcoreinfo: VMCoreInfo?
  private let symbols: KernelSymbols

  init(_ context: KernelContext) {
    facts = context.facts
    vmcoreinfo = context.vmcoreinfo
    symbols = context.symbols
  }

  /// This kernel's encoding of non-present entries; nil if unknown.
  ///
  /// In VMCOREINFO, PAGE_SLAB_MAPCOUNT_VALUE replaced NUMBER(PG_slab) in 6.10, and the lines of kallsyms came in 6.0;
  /// the version decides only between 5.18 and 5.19.
  private var swapEncoding: SwapEncoding? {
    if vmcoreinfo?.number("PAGE_SLAB_MAPCOUNT_VALUE") != nil { return .presentInvalid }
    if vmcoreinfo?.number("PG_slab") == nil {
      guard let hasPresentInvalid = facts.has(.presentInvalidEntries) else { return nil }
      if hasPresentInvalid { return .presentInvalid }
    }
    if vmcoreinfo?.symbol("kallsyms_names") != nil { return .fiveBitTypes }
    return facts.has(.exclusiveSwapEntries).map { $0 ? .fiveBitTypes : .sixBitTypes }
  }

  /// The types that are not swap areas, by the presence of the functions that use them.
  private var swapTypes: SwapTypes {
    let names = [
      "memory_failure", "migrate_pages", "make_device_exclusive_range", "make_device_exclusive", "migrate_vma_setup",
    ]
    let built = symbols.addresses(of: names)
    // Migration has a third type since exclusive entries came, and so have pages that could not be read back from swap,
    // until all kernels had markers, which cover those too; before that, markers were only for userfaultfd write
    // protection, which arm64 did not have. Device-private pages have two types, device-exclusive ones two more; since
    // 6.15 only one, whose function has a shorter name.
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

  /// The meaning of `entry`, an invalid descriptor that ended a walk of user tables at `level`.
  func page(_ entry: UInt64, level: Int, of user: TranslationRegime) -> NonPresentEntry {
    guard entry != 0 else { return .empty }
    let frame = user.format.outputAddress(entry, shift: user.granule.shift(level: level))
    guard let encoding = swapEncoding else { return .unknown }
    if entry >> encoding.presentBit & 1 == 1 {
      // Since 6.10 the bit alone only says that a page is present: PROT_NONE is the bit without EL0 access or execution
      // (`pte_protnone`).
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
