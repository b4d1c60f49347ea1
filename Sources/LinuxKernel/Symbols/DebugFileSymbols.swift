import Bytes
import DebugInfo

/// The symbols of a vmlinux that is searched for rather than given: opened when cheaper sources lack a name.
final class DebugFileSymbols: SymbolSource {
  private let table: Lazy<ELFSymbolTable?>

  init(_ files: DebugFiles, _ vmcoreinfo: VMCoreInfo?) {
    table = Lazy { files.withSymbols.flatMap { try? VMLinuxMatch.symbols($0, vmcoreinfo) } }
  }

  /// Opens the file, to say which it is.
  var origin: String { opened?.origin ?? "no vmlinux of this build" }

  private var opened: ELFSymbolTable? { table.value }

  func symbol(named name: String) -> Symbol? { opened?.symbol(named: name) }
  func symbol(containing address: UInt64) -> Symbol? { opened?.symbol(containing: address) }
  func forEachSymbol(_ body: (Symbol) -> Bool) { opened?.forEachSymbol(body) }
}
