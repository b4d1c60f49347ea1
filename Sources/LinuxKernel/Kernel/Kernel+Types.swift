import Bytes
import DebugInfo

extension Kernel {
  /// The types that `name` names: `struct NAME`, `union NAME`, `enum NAME` or `NAME`, with `MODULE:` before it for those
  /// of one module. Several, if files of the kernel have types of one name.
  package func types(named name: String) -> Result<[CType], ExpressionFailure> { contents.typeLookup.types(name) }

  /// The member that `name` names, `TYPE.MEMBER`; nil if it has no dot.
  package func member(named name: String) -> Result<FoundMember, ExpressionFailure>? {
    contents.typeLookup.member(name)
  }

  /// The type of the function or variable `name`; nil if nothing describes it.
  package func type(ofSymbol name: String) -> CType? { contents.typeLookup.type(ofSymbol: name) }

  /// Calls `body` with each named type of the kernel, then of each module, until it returns false.
  package func forEachType(_ body: (TypeName, CType) -> Bool) { contents.typeLookup.forEachType(body) }

  /// Why there are no types; nil if there are.
  package var typeAbsence: Diagnostic? { contents.typeLookup.graphs.isEmpty ? types.noTypes : nil }
}
