/// What makes a kernel's word count for less: foreign modules, earlier warnings and the like.
public struct Taint: Hashable, Sendable {
  /// `tainted_mask`.
  public let mask: UInt64

  /// The flags that are set, in the order of their bits, as the kernel writes them: "DWO".
  /// (kernel/panic.c, `taint_flags`)
  public var letters: String {
    String(Self.letters.enumerated().filter { mask >> UInt64($0.offset) & 1 == 1 }.map(\.element))
  }

  private static let letters = Array("PFSRMBUDAWCIOELKXTNJ")
}

extension Kernel {
  /// The taint of the kernel; nil where its symbols do not name `tainted_mask`, or it is not in the dump.
  public var taint: Taint? {
    symbols.symbol(named: "tainted_mask").flatMap { space.word(at: $0.address) }.map(Taint.init)
  }

  /// The CPU that called `panic()` (`panic_cpu`, kernel/panic.c); nil where none did, or the dump does not tell.
  public var panicCPU: Int? {
    symbols.symbol(named: "panic_cpu").flatMap { space.integer(UInt32.self, at: $0.address) }
      .flatMap { $0 < 1 << 16 ? Int($0) : nil }
  }
}
