import Bytes
import DebugInfo

/// Symbolises code addresses: a return address by the call before it, an interrupted program counter by itself.
struct PlaceNames {
  private let names: KernelNames

  init(_ names: KernelNames) { self.names = names }

  /// `place` as `%pS` prints an address, `symbol+0xoff/0xsize [module]`; in hex if no symbol has it.
  func text(of place: CodePlace) -> String {
    guard let symbol = names.symbol(containing: place.named) else { return hex(place.address) }
    return text(symbol, place.address)
  }

  /// The places of a trace in the log, which symbolises return addresses as they are: `name+0x0/0x..` of a return
  /// address becomes the preceding function, which made the call.
  func renamed(_ trace: [CrashReason.LoggedPlace]) -> [String] {
    trace.map { place in
      guard place.isReturn, let plus = place.text.firstRange(of: "+0x0/") else { return place.text }
      let name = String(place.text[..<plus.lowerBound])
      let module = place.text.firstRange(of: " [").map { String(place.text[$0.upperBound...].prefix { $0 != "]" }) }
      guard
        let symbol = module.map({ names.modules.symbol(named: name, module: $0) }) ?? names.kernel.symbol(named: name),
        let before = names.symbol(containing: symbol.address &- 1)
      else { return place.text }
      return text(before, symbol.address)
    }
  }

  private func text(_ symbol: Symbol, _ address: UInt64) -> String {
    let text = "\(symbol.name)+\(hex(address &- symbol.address))/\(hex(symbol.size))"
    return symbol.module.map { "\(text) [\($0)]" } ?? text
  }
}
