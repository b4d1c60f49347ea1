import KernelVA

extension Output {
  /// One range as a JSON object; `attributes` are the entries' own bits, without the restrictions of the tables above.
  ///
  /// - Parameters:
  ///   - hypervisor: the kernel, if the tables are the hypervisor's.
  ///   - doubt: why the mapping may be bogus.
  func mappedRangeJSON(
    _ range: MappedRange, _ format: DescriptorFormat, _ types: MemoryAttributeIndirection?, _ hypervisor: Kernel?,
    _ doubt: Diagnostic?
  ) {
    jsonLine { object in
      object.hex("start", range.first)
      object.hex("end", range.last &+ 1)
      object.hex("physical", range.physical.rawValue)
      object.bool("consecutive", range.isConsecutive)
      object.number("size", range.size)
      object.number("level", range.level)
      object.string("kind", range.level == 3 ? "page" : "block")
      object.string("region", range.region?.rawValue)
      object.hypervisorAddress(hypervisor?.hypervisorAddress(of: range))
      object.object("attributes") {
        $0.entryAttributes(range.descriptor, format, types, isSingleRange: hypervisor != nil)
      }
      object.diagnostic("doubt", doubt)
    }
  }

  /// The header of ranges. Their lines are written as they are found, so the columns have fixed widths that fit most.
  func mappedRangeHeader() {
    guard display.hasHeaders else { return }
    folded(indent: 8) {
      styled(.strong) { text("\(Words.rangeHeader)                    SIZE PHYSICAL   L ACCESS  REGION") }
      newline()
    }
  }

  /// One range as a line: addresses, size, physical address, level, permissions, region, and unusual attributes.
  func mappedRangeText(
    _ range: MappedRange, _ format: DescriptorFormat, _ types: MemoryAttributeIndirection?, _ hypervisor: Kernel?,
    _ doubt: Diagnostic?
  ) {
    folded(indent: 8) {
      wideHex(range.first)
      byte(UInt8(ascii: "-"))
      wideHex(range.last)
      size(range.size, width: 7)
      text(" ")
      hex(range.physical.rawValue)
      if !range.isConsecutive { text("...") }
      // As wide as 32 bits.
      if range.isConsecutive { spaces((range.physical.rawValue | 1).leadingZeroBitCount / 4 - 8) }
      text(" ")
      text(Words.level(range.level))
      text(" ")
      text(Words.permissions(range.descriptor, isSingleRange: hypervisor != nil))
      if let region = range.region {
        text(" ")
        text(region.rawValue)
      }
      mappedRangeBits(Attributes(range.descriptor), format, types)
      if let place = hypervisor?.hypervisorAddress(of: range) { text(", \(Words.place(place))") }
      if let doubt { text("; doubtful: \(doubt.advised)") }
      newline()
    }
  }

  private func wideHex(_ value: UInt64) {
    text("0x")
    digits(value, atLeast: 16)
  }

  /// The unusual attributes of a mapping.
  private func mappedRangeBits(
    _ own: Attributes, _ format: DescriptorFormat, _ types: MemoryAttributeIndirection?
  ) {
    if !own.isAccessed { text(" !AF") }
    if !own.isGlobal { text(" nG") }
    if own.isContiguous { text(" cont") }
    if own.isGuarded { text(" GP") }
    if let type = types?.memoryType(own.attrIndex), type != .normal {
      text(" ")
      text(type.rawValue)
    }
    if let sharing = own.shareability(format), sharing != .inner { text(" \(Words.name(sharing))-shareable") }
  }
}
