import Bytes
import DebugInfo

/// Containers, and members of their elements.
extension Evaluator {
  /// The type of a container's elements, and the offset of the node in them.
  package struct ElementType: Sendable {
    /// The type of an element.
    package let type: CType
    /// Bytes from its start to the node.
    package let offset: Int
  }

  /// Reads `TYPE.MEMBER`, or `TYPE` for elements without a node.
  package func elementType(_ text: String, _ kind: ContainerKind) throws(ExpressionFailure) -> ElementType {
    let dot = text.firstIndex(of: ".") ?? text.endIndex
    let types = try lookup.types(String(text[..<dot])).get()
    guard dot < text.endIndex else {
      guard !kind.hasNodes else {
        throw ExpressionFailure("'\(text)' names no node: give TYPE.MEMBER, such as \(Self.example(kind))")
      }
      return ElementType(type: types[0], offset: 0)
    }
    let path = String(text[text.index(after: dot)...])
    // Of several types of this name, the one that has the member.
    var failure: ExpressionFailure?
    for type in types {
      do throws(ExpressionFailure) {
        guard case .offsetOf(_, let member) = try parse("offsetof(\(type.text), \(path))").form else { break }
        return ElementType(type: type, offset: try offset(member, in: type, 0..<0))
      } catch {
        failure = failure ?? error
      }
    }
    throw ExpressionFailure(failure?.message ?? "'\(text)' names no member")
  }

  private static func example(_ kind: ContainerKind) -> String {
    switch kind {
    case .list: "module.list"
    case .hlist: "dentry.d_hash"
    case .llist: "irq_work.node.llist"
    default: "vmap_area.rb_node"
    }
  }

  /// The address of the container that `text` denotes: of a structure its own, of a pointer its value.
  package func container(_ text: String) throws(ExpressionFailure) -> UInt64 {
    if text.utf8.count >= 8, let address = Hex.number(text.hasPrefix("0x") ? text.dropFirst(2) : text[...]) {
      return canonical(address)
    }
    let operand = try evaluate(text)
    guard let type = operand.type else {
      return operand.address ?? 0
    }
    if case .pointer = type.resolved { return canonical(try load(operand, 0..<text.utf8.count).value) }
    if let address = operand.address { return address }
    return canonical(try load(operand, 0..<text.utf8.count).value)
  }

  /// The elements of the container of `kind` at `address`.
  ///
  /// - Parameter offset: bytes from the start of an element to the node in it.
  package func elements(_ kind: ContainerKind, at address: UInt64, offset: Int) -> ContainerElements {
    ContainerElements(walk(kind, address), offset: offset)
  }

  private func walk(_ kind: ContainerKind, _ address: UInt64) -> any ContainerWalk {
    let types = context.types.value
    switch kind {
    case .list: return ListWalk(links: ListLinks(memory, at: address, named: "at \(hex(address))"))
    case .hlist: return LinkedNodes(memory, head: address, pointsBack: true)
    case .llist: return LinkedNodes(memory, head: address, pointsBack: false)
    case .rbtree: return RedBlackTree(memory, types, root: address)
    case .xarray, .radix: return XArray.entries(memory, types, root: address)
    case .maple:
      guard let member = types.member("ma_root", of: "maple_tree") else {
        return NoElements(Diagnostic(.typeUnknown, "maple_tree is not a known type: this kernel has none"))
      }
      guard let root = memory.word(at: address &+ UInt64(member.offset)) else {
        return NoElements(Diagnostic(.objectUnreadable, "the maple tree at \(hex(address)) cannot be read"))
      }
      return MapleWalk(tree: MapleTree(root: root, in: memory))
    case .idr:
      guard let tree = types.member("idr_rt", of: "idr") else {
        return NoElements(Diagnostic(.typeUnknown, "idr is not a known type"))
      }
      let base = StructView(space: memory, address: address).number(types.member("idr_base", of: "idr")) ?? 0
      return XArray.entries(memory, types, root: address &+ UInt64(tree.offset), from: base)
    }
  }

  /// The members to show of each element.
  package struct Members: Sendable {
    /// As they were given.
    package let names: [String]
    fileprivate let paths: [Syntax]
  }

  private static let element = "element"

  /// Reads `a,b->c,d[0]`.
  package func members(_ text: String) throws(ExpressionFailure) -> Members {
    let names = text.split(separator: ",").map { String($0).trimmed }
    var paths: [Syntax] = []
    for name in names {
      do throws(ExpressionFailure) {
        paths.append(try parse("\(Self.element).\(name)"))
      } catch {
        throw ExpressionFailure("'\(name)': \(error.message)")
      }
    }
    return Members(names: names, paths: paths)
  }

  /// The values of `members` of the element of type `type` at `address`; a failure is text in place of a value.
  package func values(
    _ members: Members, of type: CType, at address: UInt64, _ extent: ValueExtent
  ) -> [(name: String, value: CValue)] {
    var evaluator = self
    evaluator.substitute = (Self.element, .memory(address, type))
    return zip(members.names, members.paths).map { name, path in
      do throws(ExpressionFailure) {
        return (name, try evaluator.read(evaluator.value(of: path), extent).value)
      } catch {
        return (name, .unreadable(error.diagnostic))
      }
    }
  }

  /// Whether `type` has `members`, so that a wrong name is reported once.
  package func check(_ members: Members, of type: CType) throws(ExpressionFailure) {
    for (name, path) in zip(members.names, members.paths) {
      var root = path
      while case .member(let base, _, _, _) = root.form {
        guard case .name = base.form else {
          root = base
          continue
        }
        guard case .member(_, let first, _, _) = root.form, let record = type.record else { break }
        guard record.member(named: first) != nil else {
          throw ExpressionFailure("'\(name)': \(Self.unknown(first, in: record))")
        }
        break
      }
    }
  }
}

extension String {
  /// Without leading and trailing blanks.
  fileprivate var trimmed: String {
    var rest = self[...]
    while rest.first == " " { rest.removeFirst() }
    while rest.last == " " { rest.removeLast() }
    return String(rest)
  }
}
