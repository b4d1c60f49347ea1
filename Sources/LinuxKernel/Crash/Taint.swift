import Bytes
import DebugInfo

/// The kernel's taint: foreign modules, earlier warnings and the like.
public struct Taint: Hashable, Sendable {
  /// `tainted_mask`.
  public let mask: UInt64

  package init(mask: UInt64) { self.mask = mask }

  /// The flags that are set, in the order of their bits, as the kernel writes them: "DWO".
  /// (kernel/panic.c, `taint_flags`)
  public var letters: String {
    String(Self.letters.enumerated().filter { mask >> UInt64($0.offset) & 1 == 1 }.map(\.element))
  }

  /// Parses a log line with "Not tainted", or "Tainted: " and the letters; nil if it has neither.
  init?(_ line: Substring) {
    if line.contains(" Not tainted ") {
      self.init(mask: 0)
      return
    }
    guard let start = line.firstRange(of: " Tainted: ") else { return nil }
    var mask: UInt64 = 0
    // G takes the place of P. The kernel's release follows, which never consists of capitals alone.
    for word in line[start.upperBound...].split(separator: " ") {
      guard word.allSatisfy({ $0 == "G" || Self.letters.contains($0) }) else { break }
      for (bit, letter) in Self.letters.enumerated() where word.contains(letter) { mask |= 1 << UInt64(bit) }
    }
    self.init(mask: mask)
  }

  private static let letters = Array("PFSRMBUDAWCIOELKXTNJ")
}

extension Taint {
  /// `tainted_mask` of the kernel; nil if no symbol names it, or it is not in the dump.
  init?(_ symbols: KernelSymbols, _ memory: KernelMemory) {
    guard let mask = symbols.symbol(named: "tainted_mask").flatMap({ memory.word(at: $0.address) }) else { return nil }
    self.init(mask: mask)
  }
}
