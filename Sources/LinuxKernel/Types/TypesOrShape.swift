import Bytes
import DebugInfo

/// The types from DWARF, or, if it is absent or damaged, inferred from memory contents.
struct TypesOrShape: TypeLayout {
  let dwarf: DWARFTypes
  let shape: InferredTaskLayout
  private let usesShape: Lazy<Bool>

  init(dwarf: DWARFTypes, shape: InferredTaskLayout) {
    self.dwarf = dwarf
    self.shape = shape
    usesShape = Lazy { dwarf.size(of: "task_struct") == nil && shape.isPresent }
  }

  var graph: (any TypeGraph)? { dwarf }
  var origin: String { usesShape.value ? "\(shape.origin); \(dwarf.origin)" : dwarf.origin }

  func size(of type: String) -> Int? { dwarf.size(of: type) ?? (usesShape.value ? shape.size(of: type) : nil) }

  func member(_ path: String, of type: String) -> TypeMember? {
    dwarf.member(path, of: type) ?? (usesShape.value ? shape.member(path, of: type) : nil)
  }
}
