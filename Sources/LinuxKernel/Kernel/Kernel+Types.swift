import Bytes
import DebugInfo

extension Kernel {
  /// The types that `name` names: `struct NAME`, `union NAME`, `enum NAME` or `NAME`, prefixed with `MODULE:` for those
  /// of one module. There are several if source files define types of the same name.
  package func types(named name: String) -> Result<[CType], ExpressionFailure> { contents.typeLookup.types(name) }

  /// The member that `name` names, `TYPE.MEMBER`; nil if it has no dot.
  package func member(named name: String) -> Result<FoundMember, ExpressionFailure>? {
    contents.typeLookup.member(name)
  }

  /// The type of the function or variable `name`; nil if unknown.
  package func type(ofSymbol name: String) -> CType? { contents.typeLookup.type(ofSymbol: name) }

  /// Calls `body` with each named type of the kernel, then of each module, until it returns false.
  package func forEachType(_ body: (TypeName, CType) -> Bool) { contents.typeLookup.forEachType(body) }

  /// Why there are no types; nil if there are.
  package var typeAbsence: Diagnostic? { contents.typeLookup.graphs.isEmpty ? types.noTypes : nil }

  /// All types of the kernel and of each module that has any, or those of the module called `module`.
  package func allTypes(ofModule module: String?) -> Result<[[CType]], ExpressionFailure> {
    contents.typeLookup.all(ofModule: module)
  }

  /// Writes a C header of `types` and everything they depend on to `path`. It compiles for AArch64, with the kernel's
  /// sizes and offsets.
  ///
  /// - Throws: `LocatedError` when the file cannot be written.
  package func exportHeader(of types: [[CType]], to path: String) throws(LocatedError) -> HeaderSummary {
    let release = facts.release.map { " of Linux \($0.value)" } ?? ""
    return try TypeFile.writeHeader(of: types, "Types\(release) for arm64, from a crash dump", to: path)
  }

  /// Writes the BTF of the kernel, or of the module called `module`, to `path` as it is in memory. A module's BTF
  /// extends the kernel's.
  ///
  /// - Returns: its size in bytes.
  /// - Throws: `LocatedError` when the file cannot be written.
  package func exportBTF(ofModule module: String?, to path: String) throws(LocatedError) -> Result<
    Int, ExpressionFailure
  > {
    switch contents.typeLookup.btf(ofModule: module) {
    case .failure(let failure): return .failure(failure)
    case .success(let btf):
      try TypeFile.write(btf.bytes, to: path)
      return .success(btf.bytes.count)
    }
  }
}
