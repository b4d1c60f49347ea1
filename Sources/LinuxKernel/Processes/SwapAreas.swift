import DebugInfo

/// The files and devices that the kernel swaps to. (`swap_info`, mm/swapfile.c)
struct SwapAreas: Sendable {
  let context: KernelContext
  let names: KernelNames

  /// The path of swap area number `type`; nil if the symbols or types do not lead there.
  func path(_ type: Int) -> String? {
    let types = context.types.value
    guard (0..<32).contains(type), let table = context.symbols.symbol(named: "swap_info")?.address,
      let member = types.member("swap_file", of: "swap_info_struct"),
      let area = context.memory.pointer(at: table &+ UInt64(type) &* 8), area != 0,
      let file = StructView(space: context.memory, address: area).pointer(member), file != 0
    else { return nil }
    return OpenedFileReader(context, names)?.file(at: file)?.path
  }
}
