import KernelVA

/// The colours, by the class names that pictures and the page use.
enum Palette: String, CaseIterable {
  // Regions.
  case user, linear, shadow, bpf, modules, image, vmalloc, vmemmap, fixmap, pci, empty
  // Effective permissions.
  case execute, readOnly = "readonly", write, writeExecute = "writeexecute", device
  // Fields of addresses and descriptors.
  case index0, index1, index2, index3, index4, offset, plain
  // Uses of frames.
  case free, slab, table, stack, kernel, vmap, percpu, anonymous, file, huge, reserved, filtered, absent, other

  /// The fill in light and dark mode.
  var fills: (light: String, dark: String) {
    switch self {
    case .user, .anonymous: ("#e3b341", "#bb8009")
    case .linear, .file: ("#79b8ff", "#388bfd")
    case .shadow, .table: ("#c3a6f5", "#8957e5")
    case .bpf, .percpu: ("#ffab70", "#db6d28")
    case .modules, .stack: ("#f692ce", "#bf4b8a")
    case .image, .kernel: ("#85e89d", "#2ea043")
    case .vmalloc, .vmap: ("#6cd0c5", "#1b7c83")
    case .vmemmap, .slab: ("#b5cc5c", "#7d8f2b")
    case .fixmap: ("#d9a98b", "#9a6a4b")
    case .pci, .huge: ("#f97583", "#c93c37")
    case .empty, .absent: ("url(#hatch)", "url(#hatch)")
    case .execute: ("#85e89d", "#2ea043")
    case .readOnly: ("#79b8ff", "#388bfd")
    case .write: ("#e3b341", "#bb8009")
    case .writeExecute: ("#d1242f", "#f85149")
    case .device: ("#c3a6f5", "#8957e5")
    case .index0: ("#d9a98b", "#7a4a2b")
    case .index1: ("#79b8ff", "#1158b8")
    case .index2: ("#6cd0c5", "#14595e")
    case .index3: ("#f692ce", "#8a2c60")
    case .index4: ("#d2a8ff", "#553098")
    case .offset, .plain: ("#e1e4e8", "#30363d")
    case .free: ("#eef1f4", "#21262d")
    case .reserved: ("#a8b1bb", "#6e7681")
    case .filtered: ("#57606a", "#484f58")
    case .other: ("#d9a98b", "#9a6a4b")
    }
  }

  static func styles(isDark: Bool) -> String {
    allCases.map { ".\($0.rawValue){fill:\(isDark ? $0.fills.dark : $0.fills.light)}" }.joined()
  }

  /// The colour of a region.
  init(_ region: Region) {
    self =
      switch region {
      case .user: .user
      case .linearMap: .linear
      case .kasanShadow: .shadow
      case .bpfJIT: .bpf
      case .modules: .modules
      case .kernelImage: .image
      case .vmalloc: .vmalloc
      case .vmemmap: .vmemmap
      case .fixmap: .fixmap
      case .pciIO: .pci
      case .guardRegion, .hole, .notCanonical, .hypervisor: .empty
      }
  }

  /// The colour of a frame in use.
  init(_ use: PageUse) {
    self =
      switch use {
      case .free: .free
      case .slab: .slab
      case .pageTable: .table
      case .stack: .stack
      case .kernelImage: .kernel
      case .vmalloc: .vmap
      case .perCPU: .percpu
      case .anonymous: .anonymous
      case .file: .file
      case .huge: .huge
      case .reserved: .reserved
      case .filtered: .filtered
      case .absent: .absent
      case .other: .other
      }
  }

  /// The colour of the index into a table of `level`.
  init(level: Int) {
    let all: [Palette] = [.index4, .index0, .index1, .index2, .index3]
    self = all.indices.contains(level + 1) ? all[level + 1] : .plain
  }
}
