import KernelLayout
import VMSA

/// THREAD_SIZE, also the size of IRQ and SDEI stacks. (arch/arm64/include/asm/memory.h)
enum ThreadSize {
  /// 16 KiB, doubled by KASAN modes with a shadow, and at least a page.
  static func bytes(_ configuration: LayoutConfiguration) -> UInt64 {
    max(configuration.kasan.scaleShift == nil ? 16 << 10 : 32 << 10, configuration.granule.size)
  }

  /// The size of a CPU's overflow stack. (OVERFLOW_STACK_SIZE)
  static let overflowBytes: UInt64 = 4096
}
