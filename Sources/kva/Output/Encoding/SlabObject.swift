import KernelVA

extension JSONObject {
  /// The fields of the object that an address is in.
  mutating func slabPart(_ object: SlabObject, _ kernel: Kernel) {
    string("cache", object.cache.name)
    hex("cacheAddress", object.cache.address)
    hex("object", object.address)
    number("index", object.index)
    number("size", object.size)
    number("offset", object.address == nil ? nil : object.offset)
    string("part", object.part.rawValue)
    bool("allocated", object.isAllocated)
    string("freeList", object.freeList.map(Words.name))
    bool("kfence", object.isKfence)
    string("cgroup", object.cgroup)
    array("tracks", object.tracks) { part, track in part.slabTrack(track, kernel) }
    if !object.damage.isEmpty { array("damage", object.damage) { part, damage in part.slabDamage(damage) } }
  }

  /// The fields of slab damage.
  mutating func slabDamage(_ damage: SlabDamage) {
    string("what", damage.kind.rawValue)
    hex("start", damage.range.lowerBound)
    hex("end", damage.range.upperBound)
    hex("expected", damage.expected)
    string("found", damage.found.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
  }

  /// The fields of an allocation or free track.
  mutating func slabTrack(_ track: SlabTrack, _ kernel: Kernel) {
    string("what", track.kind.rawValue)
    number("pid", track.pid)
    number("cpu", track.cpu)
    number("time", track.jiffies)
    number("timestamp", track.nanoseconds)
    strings("frames", track.frames.map { kernel.placeText($0) })
  }
}

extension Kernel {
  /// A return address as `%pS` prints it.
  func placeText(_ address: UInt64) -> String {
    let (text, module) = describeCaller(address)
    return module.map { "\(text) [\($0)]" } ?? text
  }
}

extension Output {
  /// Who allocated and freed an object, each with its call trace.
  func slabTracksText(_ tracks: [SlabTrack], _ kernel: Kernel) {
    for track in tracks {
      let cpu = track.cpu.map { " on CPU \($0)" } ?? ""
      let time =
        track.nanoseconds.map { " at \(Words.seconds($0)) s" } ?? track.jiffies.map { " at jiffies \($0)" } ?? ""
      text("    \(track.kind == .alloc ? "allocated" : "freed") by PID \(track.pid)\(cpu)\(time)\n")
      for frame in track.frames {
        text("        ")
        printable(kernel.placeText(frame))
        newline()
      }
    }
  }
}

extension SlabObject {
  /// The distance to the next object from the red zone before it.
  fileprivate var distanceToNext: String {
    let distance = cache.size - offset
    guard part == .redZone, !isKfence, offset > 0, distance > 0, distance <= cache.redLeftPad else { return "" }
    return ", 0x\(String(distance, radix: 16)) before the next object"
  }
}

extension Words {
  /// The name of a list of free objects.
  static func name(_ list: FreeList) -> String {
    switch list {
    case .slab: "slab"
    case .cpu(let cpu): "CPU \(cpu)"
    case .sheaf(let cpu): "sheaf of CPU \(cpu)"
    case .barn: "barn"
    case .rcu(let cpu): "RCU sheaf of CPU \(cpu)"
    case .node: "array of a node"
    case .kfence: "KFENCE"
    }
  }

  /// The place in a slab that an address is in, in one line.
  static func slab(_ object: SlabObject) -> String {
    guard let address = object.address, let index = object.index else {
      return "behind the last object of a slab of \(object.cache.name)"
    }
    let offset = "\(object.offset < 0 ? "-" : "+")0x\(String(object.offset.magnitude, radix: 16))"
    let state =
      switch object.isAllocated {
      case true?: "allocated"
      case false?: "free"
      case nil: "allocated or free"
      }
    let place = object.part == .object ? "" : " (\(object.part.rawValue)\(object.distanceToNext))"
    let list = object.isKfence ? "" : object.freeList.map { " (\(name($0)))" } ?? ""
    let pool = object.isKfence ? " of KFENCE, for" : " of"
    return
      "\(hex(address))\(offset)\(place), object \(index)\(pool) \(object.cache.name), \(object.size) bytes, \(state)\(list)"
  }
}
