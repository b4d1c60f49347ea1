import DebugInfo

/// TCR_EL1.TBI1: whether the MMU ignores the top byte of kernel addresses.
enum TopByteIgnore {
  /// A kernel built with MTE sets it on every CPU since 5.14: clearing the tags of a page needs it (TCR_MTE_FLAGS,
  /// arch/arm64/mm/proc.S; 013bb59dbb7c "arm64: mte: handle tags zeroing at page allocation time"). nil if unknown.
  static func byFunctions(of kallsyms: KernelKallsyms) -> Sourced<Bool>? {
    guard kallsyms.isPresent else { return nil }
    if kallsyms.symbol(named: "mte_zero_clear_page_tags") != nil {
      return Sourced(true, "the kernel is built with MTE: it has mte_zero_clear_page_tags")
    }
    if kallsyms.symbol(named: "kasan_tag_mismatch") != nil || kallsyms.symbol(named: "kasan_init_sw_tags") != nil {
      return Sourced(true, "the kernel is built with tag-based KASAN")
    }
    // From 5.10 to 5.13 it depended on the CPU.
    if kallsyms.symbol(named: "mte_sync_tags") != nil { return nil }
    return Sourced(false, "the kernel is built without MTE and tag-based KASAN")
  }
}
