import DebugInfo

/// The crash kernel that kexec loaded into reserved memory, and its segments. (`kexec_crash_image`,
/// kernel/kexec_core.c; `struct kimage`, include/linux/kexec.h)
struct CrashImage: Sendable {
  let context: KernelContext

  /// KEXEC_SEGMENT_MAX.
  private static let segments: UInt64 = 16

  /// The segment that `physical` is in; nil if it is in none, or no crash kernel is loaded.
  func segment(at physical: UInt64) -> PhysicalResource? {
    let types = context.types.value
    func view(_ address: UInt64) -> StructView { StructView(space: context.memory, address: address) }
    func member(_ name: String) -> TypeMember? { types.member(name, of: "kimage") }
    guard let pointer = context.symbols.symbol(named: "kexec_crash_image")?.address,
      let image = context.memory.pointer(at: pointer), image != 0, let first = member("segment"),
      let count = view(image).number(member("nr_segments")), count <= Self.segments,
      let stride = types.size(of: "kexec_segment"), stride > 0,
      let startAt = types.member("mem", of: "kexec_segment"), let sizeAt = types.member("memsz", of: "kexec_segment")
    else { return nil }
    let entry = view(image).number(member("start"))
    let tree = view(image).number(member("arch.dtb_mem"))
    let headers = view(image).number(member("elf_load_addr") ?? member("arch.elf_headers_mem"))
    for number in 0..<count {
      let segment = view(image &+ UInt64(first.offset) &+ number &* UInt64(stride))
      guard let start = segment.number(startAt), let size = segment.number(sizeAt), size > 0, size <= .max - start,
        physical >= start, physical - start < size
      else { continue }
      func has(_ address: UInt64?) -> Bool { address.map { $0 >= start && $0 - start < size && $0 != 0 } ?? false }
      let what = has(entry) ? "kernel" : has(tree) ? "device tree" : has(headers) ? "ELF headers" : "segment \(number)"
      return PhysicalResource(name: "Crash kernel's \(what)", start: start, last: start + size - 1)
    }
    return nil
  }
}
