import Bytes
import VMSA

extension Kernel {
  /// The frames of RAM that the dump shows, sorted and disjoint.
  package var ramFrames: [Range<UInt64>] { context.ramFrames }

  /// The reader of page frames; nil if `struct page` or its array is unknown.
  package var pageReader: PageReader? { contents.pageReader.value }

  /// Describes the owners of page frames.
  package var pageOwner: PageOwner? { contents.pageOwner.value }

  /// Who allocated and freed page frame `frame`; empty unless the kernel records it (page_owner).
  package func pageAllocations(of frame: UInt64) -> [PageAllocation] {
    contents.pageOwners.value?.allocations(of: frame) ?? []
  }

  /// The page frame that `query` names: a PFN, in decimal or after "pfn:", or an address. A `struct page` names the
  /// frame that it describes, any other kernel address the frame that backs it; an address below the kernel's half is
  /// physical.
  package func pageFrame(_ query: String) -> Result<UInt64, QueryFailure> {
    let shift = UInt64(regime.granule.pageShift)
    let digits = query.hasPrefix("pfn:") ? query.dropFirst(4) : query[...]
    if query.hasPrefix("pfn:") || digits.allSatisfy(\.isASCIIDigit) {
      let number = digits.hasPrefix("0x") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits)
      guard let number, number < 1 << (52 - shift) else {
        return .failure(
          QueryFailure(.badQuery, Diagnostic(.queryMalformed, query, "'\(query)' is no page frame number")))
      }
      return .success(number)
    }
    return address(of: query).flatMap { given in
      let address = given.untagged
      if !address.isUpperHalf {
        guard address.rawValue >> 52 == 0 else {
          return .failure(QueryFailure(.notCanonical, Diagnostic(.notPhysical, "no physical address is as high")))
        }
        return .success(address.rawValue >> shift)
      }
      if let pages = contents.pages.value, resolve(address).region == .vmemmap {
        return .success(pages.vmemmap.frame(of: address.rawValue))
      }
      guard let leaf = space.leaf(at: address.rawValue) else {
        return .failure(
          QueryFailure(.unmapped, Diagnostic(.entryInvalid, "it is not mapped, so that no page is behind it")))
      }
      return .success(leaf.physical.rawValue >> shift)
    }
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
