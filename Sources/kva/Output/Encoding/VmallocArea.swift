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

  /// One area as a line of /proc/vmallocinfo.
  func vmallocAreaText(_ area: VmallocArea, _ kernel: Kernel) {
    let caller = area.caller.map { kernel.describeCaller($0) }
    hex(area.start)
    text("-")
    hex(area.end)
    text(" \(area.end &- area.start)")
    if let caller { text(" \(caller.text)\(caller.module.map { " [\($0)]" } ?? "")") }
    if let pages = area.pages { text(" pages=\(pages)") }
    if let physical = area.physical { text(" phys=0x\(String(physical, radix: 16))") }
    for flag in area.flags { text(" \(flag)") }
    newline()
  }
}
