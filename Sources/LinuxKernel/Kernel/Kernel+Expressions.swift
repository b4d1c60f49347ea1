import Bytes
import DebugInfo

extension Kernel {
  /// The evaluator of C expressions over the dump.
  package var evaluator: Evaluator { contents.evaluator }

  /// What a list or a tree of the kernel holds, found element by element as it is asked for.
  ///
  /// - Parameters:
  ///   - kind: the kind of container.
  ///   - type: the type of the elements and the node in them, `task_struct.tasks`; of containers of pointers the type
  ///     alone.
  ///   - root: the head or root: an address, a symbol, or an expression such as `init_task.tasks`.
  /// - Throws: `ExpressionFailure` if a name is not known, or if `root` is no place in memory.
  public func elements(
    of kind: ContainerKind, _ type: String, at root: String
  ) throws(ExpressionFailure) -> ContainerElements {
    let element = try evaluator.elementType(type, kind)
    return evaluator.elements(kind, at: try evaluator.container(root), offset: element.offset)
  }
}
