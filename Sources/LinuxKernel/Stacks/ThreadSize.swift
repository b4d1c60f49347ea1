import KernelLayout
import VMSA

/// THREAD_SIZE, which IRQ and SDEI stacks have as well. (arch/arm64/include/asm/memory.h)
enum ThreadSize {
  /// 16 KiB, doubled by a KASAN with a shadow, and a page at least.
  static func bytes(_ configuration: LayoutConfiguration) -> UInt64 {
    max(configuration.kasan.scaleShift == nil ? 16 << 10 : 32 << 10, configuration.granule.size)
  }

  /// The overflow stack of a CPU. (OVERFLOW_STACK_SIZE)
  static let overflowBytes: UInt64 = 4096
}
