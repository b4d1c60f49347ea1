import Bytes

/// The CPU that called `panic()`. (`panic_cpu`, kernel/panic.c)
enum PanicCPU {
  /// Its number; nil if no CPU panicked, or the dump does not say.
  static func number(_ symbols: KernelSymbols, _ memory: KernelMemory) -> Int? {
    symbols.symbol(named: "panic_cpu").flatMap { memory.integer(UInt32.self, at: $0.address) }
      .flatMap { $0 < 1 << 16 ? Int($0) : nil }
  }
}
