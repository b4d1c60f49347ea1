import Bytes
import DebugInfo

/// The per-CPU data of a kernel: the address of each CPU's copy of a variable. (`__per_cpu_offset` and
/// `__per_cpu_start`, mm/percpu.c and include/asm-generic/sections.h)
struct PerCPU: Sendable {
  /// The per-CPU offsets, added to a variable's address in the image.
  let offsets: [UInt64]
  /// `__per_cpu_start` to `__per_cpu_end`: the templates in the image; nil if unknown.
  let section: Range<UInt64>?
  private let variables: [String: Symbol]

  /// The address of CPU `cpu`'s copy of the variable `name`.
  func address(_ name: String, cpu: Int) -> UInt64? {
    guard cpu >= 0, cpu < offsets.count, let template = variables[name] else { return nil }
    return template.address &+ offsets[cpu]
  }

  /// The template of the variable `name` from BTF, for kernels whose kallsyms has only functions.
  func symbol(named name: String) -> Symbol? { variables[name] }

  /// The template that `address` is in, for the same kernels.
  func symbol(containing address: UInt64) -> Symbol? {
    variables.values.first { address &- $0.address < $0.size }
  }

  /// Whether `symbol` is the template of a per-CPU variable, or one of a module; nil if unknown.
  ///
  /// - Parameter module: the symbol's module.
  func isVariable(_ symbol: Symbol, of module: KernelModule?, in space: KernelMemory) -> Bool? {
    if symbol.module != nil { return module?.perCPU.map { $0.contains(symbol.address) } }
    if let section { return section.contains(symbol.address) }
    // Templates are freed after boot: an address still mapped in the image is not one.
    return space.leaf(at: symbol.address) == nil ? nil : false
  }

  /// The template addresses of the known ones of `names`: from their symbols, or from BTF, which has a variable's
  /// offset in the section.
  func templates(of names: [String], _ symbols: KernelSymbols, _ types: KernelTypes) -> [String: UInt64] {
    var result = symbols.addresses(of: names)
    if let start = section?.lowerBound, result.count < names.count, let btf = types.btf {
      for variable in btf.perCPUVariables where result[variable.name] == nil && names.contains(variable.name) {
        result[variable.name] = start &+ UInt64(variable.offset)
      }
    }
    return result
  }

  /// nil if the kernel's per-CPU offsets are unknown.
  init?(_ space: KernelMemory, _ vmcoreinfo: VMCoreInfo?, _ symbols: KernelSymbols, _ types: Lazy<KernelTypes>) {
    guard let table = symbols.symbol(named: "__per_cpu_offset")?.address else { return nil }
    var offsets: [UInt64] = []
    // Impossible CPUs have the offset 0, or an invalid one; no valid one follows the first of them.
    while offsets.count < Limits.cpus, let offset = space.word(at: table &+ UInt64(offsets.count) &* 8), offset != 0,
      !offsets.contains(offset)
    {
      offsets.append(offset)
    }
    guard !offsets.isEmpty else { return nil }
    let wanted = ["__entry_task", "cpu_number"]
    var variables: [String: Symbol] = [:]
    for name in wanted { variables[name] = symbols.symbol(named: name) }
    let bounds = symbols.addresses(of: ["__per_cpu_start", "__per_cpu_end"])
    var start = bounds["__per_cpu_start"]
    var end = bounds["__per_cpu_end"]
    if variables["__entry_task"] == nil, let btf = types.value.btf {
      // If only functions have symbols, BTF has the offset of a variable in the section, and the section is found by
      // what its variables must contain.
      let all = btf.perCPUVariables
      let places = Dictionary(all.map { ($0.name, UInt64($0.offset)) }, uniquingKeysWith: { first, _ in first })
      start = start ?? Self.section(places, offsets, space, vmcoreinfo, types.value)
      if let start {
        let templates = all.map {
          Symbol(name: $0.name, address: start &+ UInt64($0.offset), size: UInt64($0.size), type: UInt8(ascii: "D"))
        }
        variables = Dictionary(templates.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        end = end ?? templates.map { $0.address &+ $0.size }.max()
      }
    }
    self.offsets = offsets
    section = start.flatMap { start in end.flatMap { start < $0 ? start..<$0 : nil } }
    self.variables = variables
  }

  /// Where the section begins: the page after `swapper_pg_dir` for which each CPU's `__entry_task` is a task of that
  /// CPU.
  private static func section(
    _ places: [String: UInt64], _ offsets: [UInt64], _ space: KernelMemory, _ vmcoreinfo: VMCoreInfo?,
    _ types: KernelTypes
  ) -> UInt64? {
    guard let entry = places["__entry_task"], let from = vmcoreinfo?.symbol("swapper_pg_dir"),
      let cpu = types.member("thread_info.cpu", "cpu", of: "task_struct")
    else { return nil }
    func holds(_ start: UInt64) -> Bool {
      for (number, offset) in offsets.enumerated() {
        guard let task = space.pointer(at: start &+ entry &+ offset), task >> 55 == 0x1ff, task & 7 == 0,
          StructView(space: space, address: task).number(cpu) == UInt64(number)
        else { return false }
      }
      return true
    }
    var here = from & ~4095
    while here < from &+ (64 << 20) {
      if holds(here) { return here }
      here &+= 4096
    }
    return nil
  }
}
