import DebugInfo

/// The types as the code of a module sees them.
package struct ModuleTypeSources: Sendable {
  /// The module's own types, then the kernel's.
  package let types: KernelTypes
  /// Why the module's own types are missing; nil if they are not missing, and for the kernel itself.
  package let note: String?
}
