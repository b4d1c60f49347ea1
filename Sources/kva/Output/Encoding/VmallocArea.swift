import KernelVA

extension Output {
  /// One area as a JSON object.
  func vmallocAreaJSON(_ area: VmallocArea, _ kernel: Kernel) {
    let caller = area.caller.map { kernel.describeCaller($0) }
    jsonLine { object in
      object.hex("start", area.start)
      object.hex("end", area.end)
      object.number("size", area.end &- area.start)
      object.string("caller", caller?.text)
      if let module = caller?.module { object.string("module", module) }
      object.strings("flags", area.flags)
      object.number("pages", area.pages)
      object.hex("physical", area.physical)
    }
  }

  /// Areas as a table, with the contents of /proc/vmallocinfo.
  func vmallocTable(_ areas: some Sequence<VmallocArea>, _ kernel: Kernel) {
    table(.left(Words.rangeHeader), .right("SIZE"), .right("PAGES"), .left("CALLER AND FLAGS")) { table in
      for area in areas {
        let caller = area.caller.map { kernel.describeCaller($0) }
        var words = [caller?.text ?? "?"]
        if let module = caller?.module { words.append("[\(module)]") }
        if let physical = area.physical { words.append("phys=\(Words.hex(physical))") }
        table.row(
          Words.range(area.start, area.end &- 1), Words.size(area.end &- area.start),
          area.pages.map(String.init) ?? "-", (words + area.flags).joined(separator: " "))
      }
    }
  }
}
