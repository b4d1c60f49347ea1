import KernelVA

/// A named bit field of an address or a table entry.
struct BitField {
  let high: Int
  let low: Int
  /// Arm's name for it, or its purpose.
  let name: String
  /// What each value means; empty for a number.
  var meanings: [String] = []
  /// Whether it holds address bits in place, unshifted.
  var isAddress = false
  /// The colour of its box.
  var fill = Palette.plain

  var bits: String { high == low ? "\(high)" : "\(high):\(low)" }

  /// The field's bits of `word`, in place.
  func value(in word: UInt64) -> UInt64 {
    word >> UInt64(low) & (high - low == 63 ? .max : 1 << UInt64(high - low + 1) - 1)
  }

  /// The value as text.
  func text(in word: UInt64) -> String {
    let value = value(in: word)
    guard meanings.isEmpty else { return meanings.indices.contains(Int(value)) ? meanings[Int(value)] : "\(value)" }
    return high == low ? "\(value)" : Words.hex(isAddress ? value << UInt64(low) : value)
  }
}

extension BitField {
  /// The fields by which an address is looked up: its sign bits, the index at each level, and the page offset.
  ///
  /// - Parameter widthInUse: the width of addresses, at which the root's index ends, whatever width its table is shaped
  ///   for.
  static func address(_ lookup: [LookupField], _ granule: Granule, widthInUse: Int) -> [BitField] {
    var fields = [
      BitField(high: 63, low: 56, name: "top byte: sign, or a tag"),
      BitField(high: 55, low: 55, name: "root", meanings: ["TTBR0", "TTBR1"]),
    ]
    if widthInUse < 55 { fields.append(BitField(high: 54, low: widthInUse, name: "equal to bit 55")) }
    for field in lookup where field.lowBit < widthInUse {
      fields.append(
        BitField(
          high: min(field.highBit, widthInUse - 1), low: field.lowBit, name: "index at level \(field.level)",
          fill: Palette(level: field.level)))
    }
    fields.append(BitField(high: granule.pageShift - 1, low: 0, name: "page offset", fill: .offset))
    return fields
  }

  /// The fields of a table, block or page descriptor. (Arm ARM D8.3.1 and D8.3.2)
  ///
  /// - Parameters:
  ///   - isTable: whether it is a table descriptor.
  ///   - shift: log2 of the bytes that a leaf maps.
  ///   - memoryType: the name of the memory type of an AttrIndx.
  ///   - software: names of bits 58:55 that Linux uses, by bit.
  static func entry(
    isTable: Bool, shift: Int, _ regime: TranslationRegime, memoryType: (Int) -> String?, software: [Int: String]
  ) -> [BitField] {
    let yes = ["no", "yes"]
    let isWide = !regime.format.hasShareability
    let hasHighBelow = regime.format.highMask != 0 && !isWide
    let addressShift = isTable ? regime.granule.pageShift : shift
    let top = isWide ? 49 : 47
    var fields: [BitField] = []
    if isTable {
      fields += [
        BitField(high: 63, low: 63, name: "NSTable"),
        BitField(
          high: 62, low: 61, name: "APTable", meanings: ["no limit", "no EL0 access", "read-only", "read-only, no EL0"]),
        BitField(high: 60, low: 60, name: "UXNTable", meanings: yes),
        BitField(high: 59, low: 59, name: "PXNTable", meanings: yes),
        BitField(high: 58, low: top + 1, name: "ignored"),
      ]
    } else {
      fields.append(BitField(high: 63, low: 59, name: "ignored"))
      for bit in [58, 57, 56, 55] {
        fields.append(BitField(high: bit, low: bit, name: software[bit] ?? "software", meanings: yes))
      }
      fields += [
        BitField(high: 54, low: 54, name: regime.register.isSingleRange ? "XN" : "UXN", meanings: yes),
        BitField(high: 53, low: 53, name: "PXN", meanings: yes),
        BitField(high: 52, low: 52, name: "Contiguous", meanings: yes),
        BitField(high: 51, low: 51, name: "DBM", meanings: yes),
        BitField(high: 50, low: 50, name: "GP", meanings: yes),
      ]
      if top < 49 { fields.append(BitField(high: 49, low: 48, name: "reserved")) }
    }
    fields.append(
      BitField(
        high: top, low: addressShift, name: isTable ? "next table" : "output address", isAddress: true,
        fill: isTable ? .index1 : .offset))
    let lowest = hasHighBelow ? 16 : 12
    if addressShift > lowest { fields.append(BitField(high: addressShift - 1, low: lowest, name: "below the address")) }
    if hasHighBelow { fields.append(BitField(high: 15, low: 12, name: "address 51:48", fill: .offset)) }
    fields.append(BitField(high: 11, low: 11, name: isTable ? "ignored" : "nG", meanings: isTable ? [] : yes))
    fields.append(BitField(high: 10, low: 10, name: "AF", meanings: yes))
    if isWide {
      fields.append(BitField(high: 9, low: 8, name: "address 51:50", fill: .offset))
    } else {
      fields.append(
        isTable
          ? BitField(high: 9, low: 8, name: "ignored")
          : BitField(high: 9, low: 8, name: "SH", meanings: ["none", "reserved", "outer", "inner"]))
    }
    if isTable {
      fields.append(BitField(high: 7, low: 2, name: "ignored"))
    } else {
      fields += [
        BitField(
          high: 7, low: 6, name: "AP",
          meanings: ["EL1 may write", "EL1 and EL0 may write", "read-only", "read-only, EL0 may read"]),
        BitField(high: 5, low: 5, name: "NS"),
        BitField(
          high: 4, low: 2, name: "AttrIndx",
          meanings: (0..<8).map { index in "\(index)\(memoryType(index).map { " (\($0))" } ?? "")" }),
      ]
    }
    fields.append(
      BitField(
        high: 1, low: 0, name: "type", meanings: ["invalid", "block", "invalid", isTable ? "table" : "page"]))
    return fields
  }
}

extension Kernel {
  /// The fields of an entry of `tables`, with this kernel's names of memory types and software bits.
  func entryFields(isTable: Bool, shift: Int, _ tables: TranslationRegime) -> [BitField] {
    let used = facts.meaningful([.dirty, .special, .devmap, .userfaultWriteProtect])
    let names: [(SoftwareBits, String)] = [
      (.dirty, "DIRTY"), (.special, "SPECIAL"), (.devmap, "DEVMAP"), (.userfaultWriteProtect, "UFFD_WP"),
    ]
    var software: [Int: String] = [:]
    for (bit, name) in names where used.contains(bit) { software[bit.rawValue.trailingZeroBitCount] = name }
    return BitField.entry(
      isTable: isTable, shift: shift, tables, memoryType: { memoryType($0)?.rawValue }, software: software)
  }
}
