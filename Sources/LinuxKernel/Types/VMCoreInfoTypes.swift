import DebugInfo

/// The type layouts in VMCOREINFO: `SIZE(type)` and `OFFSET(type.member)`. It has no sizes of members.
struct VMCoreInfoTypes: TypeLayout {
  let vmcoreinfo: VMCoreInfo

  var origin: String { "VMCOREINFO" }

  func size(of type: String) -> Int? { vmcoreinfo.size(type).flatMap { $0 > 0 ? $0 : nil } }

  func member(_ path: String, of type: String) -> TypeMember? {
    guard let offset = vmcoreinfo.offset("\(type).\(path)"), offset >= 0 else { return nil }
    return TypeMember(offset: offset, size: 0)
  }
}
