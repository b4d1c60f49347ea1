import KernelVA

extension Output {
  /// One range as a JSON object; `attributes` are the entries' own bits, whatever the tables above say.
  ///
  /// - Parameters:
  ///   - hypervisor: the kernel, where the tables are the hypervisor's.
  ///   - doubt: why it may be no mapping.
  func mappedRangeJSON(
    _ range: MappedRange, _ format: DescriptorFormat, _ types: MemoryAttributeIndirection?, _ hypervisor: Kernel?,
    _ doubt: String?
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
      if let doubt { object.string("doubt", doubt) }
    }
  }

  /// One range as a line: addresses, size, where it is, level, permissions, type, region.
  func mappedRangeText(
    _ range: MappedRange, _ format: DescriptorFormat, _ types: MemoryAttributeIndirection?, _ hypervisor: Kernel?,
    _ doubt: String?
  ) {
    let descriptor = range.descriptor
    let own = Attributes(descriptor)
    digits(range.first, atLeast: 16)
    byte(UInt8(ascii: "-"))
    digits(range.last, atLeast: 16)
    size(range.size, width: 9)
    text("  ")
    hex(range.physical.rawValue)
    text(range.isConsecutive ? "  L" : ", ...  L")
    text(Words.level(range.level))
    text(" ")
    text(descriptor.has(.ap2) ? "r-" : "rw")
    if hypervisor != nil {
      text(descriptor.has(.uxn) ? "-" : "x")
    } else {
      text(descriptor.has(.pxn) ? "-" : "x")
      if !descriptor.has(.uxn) { text(" EL0-x") }
      if descriptor.has(.ap1) { text(" EL0") }
    }
    if !own.isAccessed { text(" !AF") }
    if !own.isGlobal { text(" nG") }
    if own.isContiguous { text(" cont") }
    if own.isGuarded { text(" GP") }
    if let type = types?.memoryType(own.attrIndex) {
      text(" ")
      text(type.rawValue)
    }
    if let sharing = own.shareability(format), sharing != .inner { text(" \(Words.name(sharing))-shareable") }
    if let region = range.region {
      text("  ")
      text(region.rawValue)
    }
    if let place = hypervisor?.hypervisorAddress(of: range) { text(", \(Words.place(place))") }
    if let doubt { text("; doubtful: \(doubt)") }
    newline()
  }
}
