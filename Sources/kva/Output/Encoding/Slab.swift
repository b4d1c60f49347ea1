import KernelVA

extension Output {
  /// One cache as a JSON object.
  func slabCacheJSON(_ summary: SlabSummary) {
    let cache = summary.cache
    jsonLine { object in
      object.string("cache", cache.name)
      object.hex("address", cache.address)
      object.strings("aliases", summary.aliases)
      object.number("objectSize", cache.objectSize)
      object.number("size", cache.size)
      object.number("objects", summary.counts.objects)
      object.number("active", summary.counts.active)
      object.number("allocated", summary.counts.allocated)
      object.number("slabs", summary.counts.slabs)
      object.number("order", cache.order)
      object.strings("flags", summary.flags)
    }
  }

  /// Caches as a table.
  func slabTable(_ summaries: some Sequence<SlabSummary>, _ kernel: Kernel) {
    func text(_ value: Int?) -> String { value.map(String.init) ?? "?" }
    table(
      .right("MEMORY"), .right("OBJECTS"), .right("ACTIVE"), .right("ALLOCATED"), .right("SLABS"), .right("ORDER"),
      .right("OBJSIZE"), .right("SIZE"), .left("CACHE")
    ) { table in
      for summary in summaries {
        let (cache, counts) = (summary.cache, summary.counts)
        let memory = UInt64(max(0, counts.slabs)) &<< UInt64(kernel.regime.granule.pageShift + (cache.order ?? 0))
        let aliases = summary.aliases.isEmpty ? "" : " (also \(summary.aliases.joined(separator: ", ")))"
        table.row(
          Words.size(memory), text(counts.objects), text(counts.active), text(counts.allocated), text(counts.slabs),
          text(cache.order), text(cache.objectSize), text(cache.size), cache.name + aliases)
      }
    }
  }

  /// One object as a JSON object.
  func slabObjectJSON(_ listed: SlabListedObject) {
    jsonLine { object in
      object.string("cache", listed.cache.name)
      object.hex("object", listed.address)
      object.number("index", listed.index)
      object.bool("allocated", listed.isAllocated)
      object.string("freeList", listed.freeList.map(Words.name))
    }
  }

  /// One object as a line.
  func slabObjectText(_ listed: SlabListedObject) {
    hex(listed.address)
    byte(UInt8(ascii: " "))
    decimal(UInt64(listed.index), width: 5)
    byte(UInt8(ascii: " "))
    switch listed.isAllocated {
    case true?: text("allocated ")
    case false?: text("free      ")
    case nil: text("unknown   ")
    }
    printable(listed.cache.name)
    if let list = listed.freeList { text(" (\(Words.name(list)))") }
    newline()
  }

  /// Damage of a slab as a JSON object.
  func slabDamageJSON(_ listed: SlabListedDamage, _ kernel: Kernel) {
    jsonLine { object in
      object.string("cache", listed.cache.name)
      object.hex("object", listed.object?.address)
      object.number("index", listed.object?.index)
      object.bool("allocated", listed.object?.isAllocated)
      object.slabDamage(listed.damage)
      object.array("tracks", listed.tracks) { part, track in part.slabTrack(track, kernel) }
    }
  }

  /// Damage of a slab as a line, and who allocated and freed the object.
  func slabDamageText(_ listed: SlabListedDamage, _ kernel: Kernel) {
    if let object = listed.object {
      text("object \(object.index) of ")
      printable(object.cache.name)
      let state = object.isAllocated.map { $0 ? "allocated" : "free" } ?? "allocated or free"
      text(" at \(Words.hex(object.address)), \(state): ")
    } else {
      text("behind the last object of a slab of ")
      printable(listed.cache.name)
      text(": ")
    }
    text(listed.damage.text)
    newline()
    slabTracksText(listed.tracks, kernel)
  }

  /// The objects of one call trace as a JSON object.
  func slabCallerJSON(_ caller: SlabCaller, _ kernel: Kernel) {
    jsonLine { object in
      object.string("cache", caller.cache.name)
      object.number("count", caller.count)
      object.number("bytes", caller.count &* caller.cache.size)
      object.strings("frames", caller.frames.map { kernel.placeText($0) })
    }
  }

  /// The objects of one call trace, and the trace.
  func slabCallerText(_ caller: SlabCaller, _ kernel: Kernel) {
    text("\(caller.count) of ")
    printable(caller.cache.name)
    text(", \(Words.size(UInt64(caller.count &* caller.cache.size)))\n")
    for frame in caller.frames {
      text("    ")
      printable(kernel.placeText(frame))
      newline()
    }
  }
}
