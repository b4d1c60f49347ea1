import DebugInfo
import Synchronization

/// The symbols of a vmlinux that is looked for, not given: opened when the cheaper sources lack a name.
final class DebugFileSymbols: SymbolSource {
  private let files: DebugFiles
  private let vmcoreinfo: VMCoreInfo?
  private let table = Mutex<ELFSymbolTable??>(nil)

  init(_ files: DebugFiles, _ vmcoreinfo: VMCoreInfo?) {
    self.files = files
    self.vmcoreinfo = vmcoreinfo
  }

  /// Opens the file, as the reader wants to know which it is.
  var origin: String { opened?.origin ?? "no vmlinux of this build" }

  private var opened: ELFSymbolTable? {
    table.withLock { table in
      if let table { return table }
      let found = files.withSymbols.flatMap { try? VMLinuxMatch.symbols($0, vmcoreinfo) }
      table = .some(found)
      return found
    }
  }

  func symbol(named name: String) -> Symbol? { opened?.symbol(named: name) }
  func symbol(containing address: UInt64) -> Symbol? { opened?.symbol(containing: address) }
  func forEachSymbol(_ body: (Symbol) -> Bool) { opened?.forEachSymbol(body) }
}
