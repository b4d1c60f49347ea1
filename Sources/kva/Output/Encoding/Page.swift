import KernelVA

extension Output {
  /// One frame as a JSON object.
  func pageJSON(
    _ frame: PageFrame, _ owner: String?, _ cgroup: String?, _ reader: PageReader, _ allocations: [PageAllocation],
    _ kernel: Kernel
  ) {
    let words = frame.words
    jsonLine { object in
      object.number("pfn", frame.frame)
      object.hex("page", frame.structure)
      object.hex("physical", frame.physical)
      object.hex("flagsValue", words?.flags)
      object.strings("flags", words.map { reader.names(ofFlags: $0.flags) } ?? [])
      object.hex("kpageflags", words?.kpageflags ?? (frame.use == .absent ? PageFrame.absentFlags : nil))
      object.number("refcount", words?.refcount)
      object.number("mapcount", words?.mapcount)
      object.hex("mapping", words?.mapping)
      object.hex("index", words?.index)
      object.hex("head", words?.head)
      object.number("order", words?.order)
      object.number("buddyOrder", words?.buddyOrder)
      object.string("use", frame.use.rawValue)
      object.string("owner", owner)
      object.string("cgroup", cgroup)
      object.string("zone", words?.zone.flatMap(reader.name(ofZone:)))
      object.number("node", words?.node)
      if !allocations.isEmpty {
        object.array("tracks", allocations) { part, allocation in
          part.string("what", allocation.kind.rawValue)
          part.number("pid", allocation.pid)
          part.number("tgid", allocation.tgid)
          part.string("comm", allocation.comm)
          part.number("timestamp", allocation.nanoseconds)
          part.number("order", allocation.order)
          part.hex("gfp", allocation.gfp)
          part.strings("frames", allocation.frames.map { kernel.placeText($0) })
        }
      }
    }
  }

  /// One frame of many as a line.
  func pageLine(_ frame: PageFrame, _ owner: String?, _ reader: PageReader) {
    hex(frame.frame)
    byte(UInt8(ascii: " "))
    hex(frame.structure)
    byte(UInt8(ascii: " "))
    text(frame.use.rawValue)
    if let words = frame.words {
      text(" ref ")
      text(String(words.refcount))
      text(" map ")
      text(String(words.mapcount))
      if let order = words.buddyOrder {
        text(" block of order ")
        decimal(UInt64(order))
      } else if words.order > 0 {
        text(" folio of order ")
        decimal(UInt64(words.order))
      }
      var separator = " "
      for name in reader.names(ofFlags: words.flags) {
        text(separator)
        text(name)
        separator = "|"
      }
    }
    if let owner {
      text(": ")
      printable(owner)
    }
    newline()
  }

  /// One frame as text: a line for it, and one for each thing known.
  func pageText(_ frame: PageFrame, _ owner: String?, _ cgroup: String?, _ reader: PageReader) {
    text("pfn 0x\(String(frame.frame, radix: 16)) (\(frame.frame)): \(frame.use.rawValue)")
    if let owner { printable(", \(owner)") }
    newline()
    func line(_ name: String, _ value: String) {
      text("    ")
      text(name)
      spaces(12 - name.utf8.count)
      printable(value)
      newline()
    }
    line("physical", Words.hex(frame.physical))
    line("struct page", Words.hex(frame.structure))
    guard let words = frame.words else { return }
    line("flags", "\(Words.hex(words.flags)) (\(reader.names(ofFlags: words.flags).joined(separator: "|")))")
    line("kpageflags", Words.hex(words.kpageflags))
    line("counts", "refcount \(words.refcount), mapcount \(words.mapcount)")
    line("mapping", "\(Words.hex(words.mapping))\(words.index.map { ", index \(Words.hex($0))" } ?? "")")
    if let order = words.buddyOrder {
      line("free block", "of order \(order)")
    } else if words.order > 0 {
      line("folio", "of order \(words.order), head at \(Words.hex(words.head))")
    }
    if let cgroup { line("cgroup", cgroup) }
    if let zone = words.zone.flatMap(reader.name(ofZone:)) {
      line("zone", "\(zone)\(words.node.map { ", node \($0)" } ?? "")")
    }
  }

  /// Who allocated and freed a frame, each with its call trace.
  func pageAllocationsText(_ allocations: [PageAllocation], _ kernel: Kernel) {
    for allocation in allocations {
      text(allocation.kind == .alloc ? "    allocated" : "    freed")
      if let pid = allocation.pid {
        text(" by PID \(pid)")
        if let comm = allocation.comm { printable(" (\(comm))") }
      }
      text(" at \(Words.seconds(allocation.nanoseconds)) s")
      if let order = allocation.order { text(", order \(order)") }
      if let gfp = allocation.gfp { text(", gfp \(Words.hex(gfp))") }
      newline()
      for frame in allocation.frames {
        text("        ")
        printable(kernel.placeText(frame))
        newline()
      }
    }
  }

  /// The number of frames of one use as a JSON object.
  func pageSummaryJSON(_ use: String, _ count: UInt64, _ kernel: Kernel) {
    jsonLine { object in
      object.string("use", use)
      object.number("pages", count)
      object.number("bytes", count &<< UInt64(kernel.regime.granule.pageShift))
    }
  }

  /// The frames by use as a table.
  func pageSummaryTable(_ rows: [(use: String, count: UInt64)], _ kernel: Kernel) {
    table(.left("USE"), .right("PAGES"), .right("SIZE")) { table in
      for (use, count) in rows {
        table.row(use, "\(count)", Words.size(count &<< UInt64(kernel.regime.granule.pageShift)))
      }
    }
  }
}
