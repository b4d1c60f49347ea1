import KernelVA

extension JSONObject {
  /// The fields of `attributes`.
  mutating func attributes(_ attributes: Attributes, _ regime: TranslationRegime, _ kernel: Kernel) {
    bool("writable", attributes.isWritable)
    let isSingle = attributes.isSingleRange
    bool("executableEL1", isSingle ? nil : attributes.isExecutableEL1)
    bool("executableEL0", isSingle ? nil : attributes.isExecutableEL0)
    if isSingle { bool("executableEL2", attributes.isExecutableEL2) }
    bool("user", attributes.isUser)
    bool("accessed", attributes.isAccessed)
    bool("global", attributes.isGlobal)
    string("memoryType", kernel.memoryType(attributes.attrIndex)?.rawValue)
    number("attrIndex", attributes.attrIndex)
    string("shareability", attributes.shareability(regime).map(Words.name))
    bool("dirtyBitModifier", attributes.hasDirtyBitModifier)
    bool("guarded", attributes.isGuarded)
    strings("software", Words.softwareNames(kernel.facts.meaningful(attributes.software)))
  }

  /// The fields for an entry's own bits in `attributes`, without the restrictions of the tables above.
  mutating func entryAttributes(
    _ descriptor: Descriptor, _ format: DescriptorFormat, _ types: MemoryAttributeIndirection?, isSingleRange: Bool
  ) {
    let own = Attributes(descriptor)
    bool("writable", !descriptor.has(.ap2))
    bool("executableEL1", isSingleRange ? nil : !descriptor.has(.pxn))
    bool("executableEL0", isSingleRange ? nil : !descriptor.has(.uxn))
    if isSingleRange { bool("executableEL2", !descriptor.has(.uxn)) }
    bool("user", !isSingleRange && descriptor.has(.ap1))
    bool("accessed", own.isAccessed)
    bool("global", own.isGlobal)
    string("memoryType", types?.memoryType(own.attrIndex).rawValue)
    number("attrIndex", own.attrIndex)
    string("shareability", own.shareability(format).map(Words.name))
    bool("contiguous", own.isContiguous)
    bool("guarded", own.isGuarded)
  }
}

extension Attributes {
  /// SH under `regime`.
  func shareability(_ regime: TranslationRegime) -> Shareability? { shareability(regime.format) }
}

extension Words {
  /// The restrictions that a table descriptor places on everything below it.
  static func tableRestrictions(_ tables: TableAttributes) -> [String] {
    var words: [String] = []
    if tables.contains(.noExecuteEL1) { words.append("PXNTable") }
    if tables.contains(.noExecuteEL0) { words.append("UXNTable") }
    if tables.contains(.noAccessEL0) { words.append("APTable no EL0") }
    if tables.contains(.readOnly) { words.append("APTable read-only") }
    return words
  }

  /// The bits of a leaf by Arm's and Linux's names.
  static func bits(_ attributes: Attributes, _ regime: TranslationRegime, _ kernel: Kernel) -> [String] {
    var words = ["AttrIndx \(attributes.attrIndex)"]
    if let type = kernel.memoryType(attributes.attrIndex) { words[0] += " (\(type.rawValue))" }
    let descriptor = attributes.descriptor
    words.append("AP \(descriptor.has(.ap2) ? 1 : 0)\(descriptor.has(.ap1) ? 1 : 0)")
    if let sharing = attributes.shareability(regime) { words.append("SH \(name(sharing))") }
    let flags: [(Descriptor.Bits, String)] = [
      (.af, "AF"), (.nG, "nG"), (.gp, "GP"), (.dbm, "DBM"), (.contiguous, "Contiguous"), (.pxn, "PXN"),
      (.uxn, regime.register.isSingleRange ? "XN" : "UXN"),
    ]
    for (bit, name) in flags where descriptor.has(bit) { words.append(name) }
    let software: [(SoftwareBits, String)] = [
      (.dirty, "DIRTY"), (.special, "SPECIAL"), (.devmap, "DEVMAP"), (.userfaultWriteProtect, "UFFD_WP"),
    ]
    let set = kernel.facts.meaningful(attributes.software)
    for (bit, name) in software where set.contains(bit) { words.append(name) }
    return words
  }

  /// The names of the software bits that are set.
  static func softwareNames(_ bits: SoftwareBits) -> [String] {
    let names: [(SoftwareBits, String)] = [
      (.dirty, "dirty"), (.special, "special"), (.devmap, "devmap"), (.userfaultWriteProtect, "uffd-wp"),
    ]
    return names.filter { bits.contains($0.0) }.map(\.1)
  }
}
