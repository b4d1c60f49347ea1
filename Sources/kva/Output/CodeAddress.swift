import KernelVA

extension Kernel {
  /// An address as the kernel prints it with %pS: `symbol+0xoff/0xsize`.
  func describeCaller(_ address: UInt64) -> (text: String, module: String?) {
    guard let symbol = symbol(containing: address) else { return (Words.hex(address), nil) }
    let offset = String(address &- symbol.address, radix: 16)
    return ("\(symbol.name)+0x\(offset)/0x\(String(symbol.size, radix: 16))", symbol.module)
  }
}
