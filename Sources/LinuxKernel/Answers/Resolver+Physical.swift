import Bytes
import VMSA

extension Resolver {
  /// The physical address that `text` asks for; nil if it asks for none.
  func physical(asked text: String) -> PhysicalAddress? { (try? Query(text)).flatMap { physical(asked: $0) } }

  private func physical(asked query: Query) -> PhysicalAddress? {
    let shift = UInt64(context.regime.granule.pageShift)
    let address: UInt64
    switch query.base {
    case .physical(let value): address = value
    case .frame(let number) where number < 1 << (52 - shift): address = number << shift
    default: return nil
    }
    return PhysicalAddress(address &+ query.offset)
  }

  /// The kernel's virtual address for the physical address of `query`: in the linear map, or else in its image.
  func virtual(of query: Query) -> Result<Found, QueryFailure> {
    guard let physical = physical(asked: query), physical.rawValue < 1 << 52 else {
      return .failure(QueryFailure(.badQuery, Diagnostic(.notPhysical, "physical addresses have 52 bits")))
    }
    for offset in [checks.value.linearOffset, context.facts.kimageVoffset?.value] {
      guard let offset, case let address = physical.rawValue &+ offset, VirtualAddress(address).isUpperHalf,
        context.memory.leaf(at: address)?.physical == physical
      else { continue }
      return .success(Found(address: VirtualAddress(address)))
    }
    let place = hex(physical.rawValue)
    return .failure(
      QueryFailure(.unmapped, Diagnostic(.entryInvalid, place, "the linear map has nothing at \(place)")))
  }
}
