import Foundation
import KernelVA
import TestSupport
import Testing

/// Elements of containers are looked up when they are asked for, and not before.
struct ContainerElementsTests {
  private static let name = "c61-4k48-nokaslr"
  private static let containers: [(kind: ContainerKind, type: String, root: String)] = [
    (.list, "task_struct.tasks", "init_task.tasks"), (.rbtree, "vmap_area.rb_node", "vmap_area_root"),
    (.idr, "pid", "init_pid_ns.idr"),
  ]

  private func kernel(_ path: String) throws -> Kernel { try Kernel(in: DumpFile(path: path)) }

  @Test("The first elements are those of the whole", arguments: containers)
  func prefix(_ container: (kind: ContainerKind, type: String, root: String)) throws {
    let path = try DumpEntry.named(Self.name).path("vmcore.elf")
    let elements = try kernel(path).elements(of: container.kind, container.type, at: container.root)
    let command = container.kind == .list ? ["list", path] : ["tree", path, container.kind.rawValue]
    let listed = try Kva.run(command + [container.type, container.root, "--json"]).objects()
      .compactMap { ($0["element"] as? String).flatMap { UInt64($0.dropFirst(2), radix: 16) } }
    #expect(Array(elements).map(\.address) == listed && listed.count > 20)
    #expect(Array(elements.prefix(5)).map(\.address) == Array(listed.prefix(5)))
    // What is asked of the command in parts is the whole.
    var parts: [String] = []
    for skip in stride(from: 0, to: listed.count + 7, by: 7) {
      let part = try Kva.run(command + [container.type, container.root, "--skip", "\(skip)", "--limit", "7"])
      #expect(part.status == 0)
      parts += part.lines
    }
    #expect(try parts == Kva.run(command + [container.type, container.root]).lines)
  }

  @Test("Damage behind the last element that was asked for is not come to")
  func laziness() throws {
    let entry = try DumpEntry.named(Self.name)
    let facts = try entry.facts()
    try Scratch.withFolder { folder in
      let core = try PatchedCore(
        copying: try entry.path("vmcore.elf"), to: folder.appendingPathComponent("vmcore").path,
        root: facts.swapperPgDir &- facts.kimageVoffset)
      for (container, offset) in zip(Self.containers.prefix(2), [8, 0] as [UInt64]) {
        let nodes = try kernel(core.path).elements(of: container.kind, container.type, at: container.root).map(
          \.address)
        let type = try #require(container.type.split(separator: ".").first)
        let member = try #require(container.type.split(separator: ".").last)
        let place = try Kva.run(["print", core.path, "offsetof(struct \(type), \(member))", "--json"]).object()
        let node = nodes[20] + UInt64(try #require(place["value"] as? Int))
        // prev of a list_head, and the parent of an rb_node.
        try core.set(0, at: node + offset)
        var walk = try kernel(core.path).elements(of: container.kind, container.type, at: container.root).makeIterator()
        for wanted in nodes.prefix(5) { #expect(walk.next()?.address == wanted) }
        #expect(walk.notes.isEmpty)
        var rest = 5
        while walk.next() != nil { rest += 1 }
        #expect(!walk.notes.isEmpty && rest < nodes.count, "\(container.type)")
        #expect(walk.next() == nil)
        let command = container.kind == .list ? ["list", core.path] : ["tree", core.path, container.kind.rawValue]
        let few = try Kva.run(command + [container.type, container.root, "--limit", "5"])
        #expect(few.status == 0 && few.lines.count == 5 && few.standardError.isEmpty)
        #expect(try Kva.run(command + [container.type, container.root]).status == 1)
        try core.restore()
      }
    }
  }

  @Test("A name that is not known is an error")
  func mistakes() throws {
    let kernel = try kernel(DumpEntry.named(Self.name).path("vmcore.elf"))
    #expect(throws: ExpressionFailure.self) {
      try kernel.elements(of: .list, "task_struct.taskz", at: "init_task.tasks")
    }
    #expect(throws: ExpressionFailure.self) { try kernel.elements(of: .list, "task_struct", at: "init_task.tasks") }
    #expect(throws: ExpressionFailure.self) { try kernel.elements(of: .xarray, "page", at: "no_such_tree") }
  }
}
