import DebugInfo

extension KernelTypes {
  /// The BTF among the sources.
  var btf: BTFTypes? { sources.lazy.compactMap { $0 as? BTFTypes }.first }

  /// What to do where a type is not known.
  static var advice: String { "no BTF was found in the dump; give --vmlinux FILE, with DWARF" }
}
