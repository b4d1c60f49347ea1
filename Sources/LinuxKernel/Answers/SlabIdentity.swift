import Bytes
import VMSA

/// What the slab allocator knows about an address.
extension AddressIdentifier {
  /// Adds the slab object at `address`.
  func fillSlab(_ identity: inout AddressIdentity, _ address: UInt64) {
    guard identity.resolution.region == .linearMap else { return }
    let physical = identity.frame == nil ? nil : identity.resolution.physical
    switch slabs.place(of: address, physical) {
    case .object(let object):
      identity.slab = object
      identity.kind =
        object.part == .remainder
        ? "end of a slab" : object.part == .object ? "slab object" : "slab \(object.part.rawValue)"
      if let problem = object.problem {
        identity.notes.append(Diagnostic(.allocationUnknown, "whether it is allocated is unknown: \(problem)"))
      }
      for damage in object.damage {
        identity.notes.append(Diagnostic(.slabDamaged, object.address.map { hex($0) }, damage.text))
      }
    case .kfence(let kind): identity.kind = "KFENCE \(kind)"
    case .largeKmalloc(let start, let size):
      identity.kind = "large kmalloc"
      identity.notes.append(
        Diagnostic(
          .largeKmalloc, hex(start),
          "an allocation of kmalloc at \(hex(start)) that has \(size) bytes of pages of its own"))
    case .damaged(let reason):
      identity.kind = "slab"
      identity.notes.append(Diagnostic(.slabDamaged, reason))
    case nil: break
    }
  }
}
