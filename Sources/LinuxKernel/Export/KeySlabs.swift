import DebugInfo
import VMSA

/// Tells keys from the other objects of a cache. (`struct key`, include/linux/key.h)
struct KeySlabs {
  /// The cache of keys, unless the kernel merges it with others of the same size.
  static let cache = "key_jar"

  private let memory: KernelMemory
  private let type: TypeMember
  private let name: TypeMember
  private let payload: TypeMember
  /// The memory of variables and constants of the kernel and its modules, among them the types of keys.
  private let variables: RangeSet<UInt64>

  /// nil if the types are unknown.
  init?(_ context: KernelContext, types variables: [Range<UInt64>]) {
    let types = context.types.value
    guard let type = types.member("type", of: "key"), let payload = types.member("payload", of: "key"),
      let name = types.member("name", of: "key_type")
    else { return nil }
    memory = context.memory
    self.type = type
    self.payload = payload
    self.name = name
    self.variables = RangeSet(variables)
  }

  /// Whether the object at `address` is a key, or was one: its type is a variable of the kernel that begins with a name.
  /// The kernel clears a key before it frees it. (`key_gc_unused_keys`, security/keys/gc.c)
  func isKey(_ address: UInt64) -> Bool {
    let space = memory
    guard let kind = StructView(space: space, address: address).pointer(type), variables.contains(kind),
      let text = StructView(space: space, address: kind).pointer(name), variables.contains(text),
      let name = space.string(at: text, limit: 64)
    else { return false }
    return !name.isEmpty && name.utf8.allSatisfy { (0x21..<0x7f).contains($0) }
  }

  /// What the key at `address` points to: `payload.data`, four words, each used or not by the type. Variables, such as
  /// the subtype of an asymmetric key, are not secrets.
  func payloads(_ address: UInt64) -> [UInt64] {
    (0..<UInt64(4)).compactMap { word in
      memory.pointer(at: address &+ UInt64(payload.offset) &+ 8 &* word)
        .flatMap { VirtualAddress($0).isUpperHalf && !variables.contains($0) ? $0 : nil }
    }
  }
}
