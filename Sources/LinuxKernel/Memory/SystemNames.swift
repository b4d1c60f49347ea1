/// `struct new_utsname`: six texts of 65 bytes. (include/uapi/linux/utsname.h)
struct SystemNames {
  /// System, node, release, version, machine and domain; nil for one that is not in the dump.
  let all: [String?]

  /// Bytes of one of them, with its NUL.
  private static let size: UInt64 = 65

  /// Their address in the `struct uts_namespace` at `address`; nil if there is no system name.
  static func address(in namespace: UInt64, _ vmcoreinfo: VMCoreInfo?, _ memory: KernelMemory) -> UInt64? {
    // VMCOREINFO has the offset since 5.11 (ca4a9241cc5e "kdump: append uts_namespace.name offset to VMCOREINFO");
    // before, a reference count precedes the names.
    let offsets: [UInt64] = (vmcoreinfo?.offset("uts_namespace.name")).map { [UInt64(max($0, 0))] } ?? [4, 0, 8]
    return offsets.map { namespace &+ $0 }.first { memory.string(at: $0, limit: Int(size)) == "Linux" }
  }

  /// Those at `address`.
  init(at address: UInt64, _ memory: KernelMemory) {
    all = (0..<6).map { memory.string(at: address &+ Self.size * $0, limit: Int(Self.size)) }
  }

  /// The release.
  var release: String? { all[2] }
}
