import CrashDump
import VMSA

extension Kernel {
  /// Searches all physical memory of the dump on all cores.
  ///
  /// - Parameters:
  ///   - pattern: what for.
  ///   - limit: how many matches are kept, those with the lowest physical addresses; 1 or more.
  ///   - progress: called with the number of bytes just searched, on any thread; false ends the search.
  /// - Returns: the matches, each with its address in the kernel image or the linear map if the tables confirm that.
  public func search(
    _ pattern: SearchPattern, limit: Int, progress: @escaping @Sendable (UInt64) -> Bool = { _ in true }
  ) -> SearchResult {
    guard pattern.isValid, limit > 0 else { return .nothing }
    return MemorySearch(context: context, pattern: pattern, limit: limit, progress: progress).physical()
  }

  /// Searches the memory mapped at ranges of virtual addresses, on all cores. Memory mapped twice is found twice.
  ///
  /// - Parameters:
  ///   - pattern: what for.
  ///   - ranges: the first and last address of each.
  ///   - user: tables of user space or of the hypervisor to use instead of the kernel's.
  ///   - limit: how many matches are kept, those with the lowest virtual addresses; 1 or more.
  ///   - progress: called with the number of bytes just searched, on any thread; false ends the search.
  public func search(
    _ pattern: SearchPattern, in ranges: [ClosedRange<UInt64>], user: TranslationRegime? = nil, limit: Int,
    progress: @escaping @Sendable (UInt64) -> Bool = { _ in true }
  ) -> SearchResult {
    guard pattern.isValid, limit > 0 else { return .nothing }
    return MemorySearch(context: context, pattern: pattern, limit: limit, progress: progress).mapped(ranges, user: user)
  }

  /// The address range of what `query` names, to find pointers into it: that of a slab object, or else of a symbol, or
  /// only the address.
  package func extent(of query: String) -> Result<ClosedRange<UInt64>, QueryFailure> {
    address(of: query).map { address in
      let identity = identify(query)
      if let object = identity.slab, let start = object.address, object.size > 0 {
        return start...(start &+ UInt64(object.size - 1))
      }
      if let symbol = identity.resolution.symbol, symbol.size > 0 {
        return symbol.address...(symbol.address &+ (symbol.size - 1))
      }
      return address.untagged.rawValue...address.untagged.rawValue
    }
  }
}

extension SearchResult {
  /// The result if nothing can match.
  fileprivate static var nothing: SearchResult {
    SearchResult(matches: [], total: 0, searched: 0, missing: 0, isCutShort: false)
  }
}
