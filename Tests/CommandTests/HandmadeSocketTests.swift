import Foundation
import TestSupport
import Testing

/// Sockets of a process made by hand, and the tables of EFI.
///
/// Types, by offset in bytes:
///
///     task_struct       pid 0, tgid 4, comm 8, tasks 18, mm 28, __state 30, stack 38, files 40
///     files_struct      fdt 0; fdtable max_fds 0, fd 8; mm_struct pgd 0
///     file              f_path 0 (mnt, dentry), f_inode 10, private_data 18
///     inode             i_ino 0, i_sb 8, i_mode 10; socket sk 0
///     sock_common       daddr 0, rcv_saddr 4, dport 8, num a, family c, state e, v6_daddr 10, v6_rcv_saddr 20
///     sock              __sk_common 0, sk_type 30, sk_protocol 32
///     unix_sock         addr 40, peer 48; unix_address len 4, name 8; netlink_sock portid 40
@Suite struct HandmadeSocketTests {
  private static func at(_ offset: UInt64) -> UInt64 { HandmadeKernel.text + offset }

  private static var types: [UInt8] {
    var writer = BTFWriter()
    let int = writer.integer("unsigned int", size: 4)
    let short = writer.integer("short unsigned int", size: 2)
    let byte = writer.integer("unsigned char", size: 1)
    let long = writer.integer("long unsigned int", size: 8)
    let pointer = writer.reference(kind: 2, to: 0)
    func member(_ offset: Int, _ name: String, _ type: Int) -> BTFWriter.Member { .init(name, type, bit: offset * 8) }
    let comm = writer.array(of: byte, index: long, count: 16)
    let pair = writer.structure("list_head", size: 16, [member(0, "next", pointer), member(8, "prev", pointer)])
    _ = writer.structure(
      "task_struct", size: 0x48,
      [
        member(0, "pid", int), member(4, "tgid", int), member(8, "comm", comm), member(0x18, "tasks", pair),
        member(0x28, "mm", pointer), member(0x30, "__state", int), member(0x38, "stack", pointer),
        member(0x40, "files", pointer),
      ])
    _ = writer.structure("mm_struct", size: 8, [member(0, "pgd", pointer)])
    _ = writer.structure("files_struct", size: 8, [member(0, "fdt", pointer)])
    _ = writer.structure("fdtable", size: 16, [member(0, "max_fds", int), member(8, "fd", pointer)])
    let path = writer.structure("path", size: 16, [member(0, "mnt", pointer), member(8, "dentry", pointer)])
    _ = writer.structure(
      "file", size: 0x20,
      [member(0, "f_path", path), member(0x10, "f_inode", pointer), member(0x18, "private_data", pointer)])
    _ = writer.structure(
      "inode", size: 0x18, [member(0, "i_ino", long), member(8, "i_sb", pointer), member(0x10, "i_mode", short)])
    _ = writer.structure("super_block", size: 8, [member(0, "s_dev", int)])
    let link = writer.structure("hlist_bl_node", size: 16, [member(0, "next", pointer), member(8, "pprev", pointer)])
    let name = writer.structure(
      "qstr", size: 16, [member(0, "hash", int), member(4, "len", int), member(8, "name", pointer)])
    _ = writer.structure(
      "dentry", size: 0x30,
      [
        member(0, "d_hash", link), member(0x10, "d_parent", pointer), member(0x18, "d_name", name),
        member(0x28, "d_inode", pointer),
      ])
    let mounted = writer.structure("vfsmount", size: 8, [member(0, "mnt_root", pointer)])
    _ = writer.structure(
      "mount", size: 0x18,
      [member(0, "mnt_parent", pointer), member(8, "mnt_mountpoint", pointer), member(0x10, "mnt", mounted)])
    _ = writer.structure("socket", size: 8, [member(0, "sk", pointer)])
    let wide = writer.structure(
      "in6_addr", size: 16, [member(0, "in6_u", writer.array(of: byte, index: long, count: 16))])
    let common = writer.structure(
      "sock_common", size: 0x30,
      [
        member(0, "skc_daddr", int), member(4, "skc_rcv_saddr", int), member(8, "skc_dport", short),
        member(0xa, "skc_num", short), member(0xc, "skc_family", short), member(0xe, "skc_state", byte),
        member(0x10, "skc_v6_daddr", wide), member(0x20, "skc_v6_rcv_saddr", wide),
      ])
    let sock = writer.structure(
      "sock", size: 0x40,
      [member(0, "__sk_common", common), member(0x30, "sk_type", short), member(0x32, "sk_protocol", short)])
    _ = writer.structure(
      "unix_sock", size: 0x50, [member(0, "sk", sock), member(0x40, "addr", pointer), member(0x48, "peer", pointer)])
    _ = writer.structure("netlink_sock", size: 0x48, [member(0, "sk", sock), member(0x40, "portid", int)])
    _ = writer.structure(
      "unix_address", size: 8,
      [
        member(0, "refcnt", int), member(4, "len", int),
        member(8, "name", writer.array(of: byte, index: long, count: 0)),
      ])
    return writer.bytes + .zeros((8 - writer.bytes.count % 8) % 8)
  }

  /// What is at a socket's address: the bytes of its `sock` and what follows.
  private static let sockets: [(bytes: [UInt8], expected: [String?])] = {
    func sock(
      _ family: UInt16, _ state: UInt8, type: UInt16, _ number: UInt16, v4: (own: [UInt8], other: [UInt8])? = nil,
      v6: (own: [UInt8], other: [UInt8])? = nil, ports: (own: UInt16, other: UInt16) = (0, 0), more: [UInt8] = []
    ) -> [UInt8] {
      let zero: [UInt8] = .zeros(16)
      let none: [UInt8] = [0, 0, 0, 0]
      var bytes: [UInt8] = v4?.other ?? none
      bytes += v4?.own ?? none
      bytes += [UInt8](little: ports.other.bigEndian)
      bytes += [UInt8](little: ports.own)
      bytes += [UInt8](little: family)
      bytes += [state, 0]
      bytes += v6?.other ?? zero
      bytes += v6?.own ?? zero
      bytes += [UInt8](little: type)
      bytes += [UInt8](little: number)
      bytes += [UInt8].zeros(12)
      return bytes + more
    }
    let one: [UInt8] = .zeros(15) + [1]
    let doc: [UInt8] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2]
    return [
      // Family, type, protocol, state, local, remote.
      (
        sock(2, 1, type: 1, 6, v4: ([192, 0, 2, 1], [198, 51, 100, 7]), ports: (22, 50123)),
        ["INET", "stream", "TCP", "ESTABLISHED", "192.0.2.1:22", "198.51.100.7:50123"]
      ), (sock(2, 7, type: 2, 17, ports: (68, 0)), ["INET", "dgram", "UDP", "CLOSE", "0.0.0.0:68", nil]),
      (
        sock(10, 10, type: 1, 6, v6: (one, .zeros(16)), ports: (631, 0)),
        ["INET6", "stream", "TCP", "LISTEN", "[::1]:631", nil]
      ),
      (
        sock(10, 1, type: 1, 6, v6: (doc, one), ports: (443, 7)),
        ["INET6", "stream", "TCP", "ESTABLISHED", "[2001:db8::1:0:0:2]:443", "[::1]:7"]
      ),
      (
        sock(1, 10, type: 5, 0, more: [UInt8](little: at(0xe800)) + .zeros(8)),
        ["UNIX", "seqpacket", nil, "LISTEN", "/run/udev/control", nil]
      ),
      (
        sock(1, 1, type: 1, 0, more: [UInt8](little: at(0xe840)) + [UInt8](little: at(0xe000 + 4 * 0x80))),
        ["UNIX", "stream", nil, "ESTABLISHED", "@abstract", "/run/udev/control"]
      ),
      (sock(16, 7, type: 3, 0, more: [UInt8](little: 1234 as UInt64)), ["NETLINK", "raw", "ROUTE", nil, "1234", nil]),
    ]
  }()

  private static var kernel: HandmadeKernel {
    var kernel = HandmadeKernel()
    func put(_ offset: UInt64, _ values: UInt64...) {
      for (index, value) in values.enumerated() {
        kernel.setWord(value, at: HandmadeKernel.base + offset + UInt64(index) * 8)
      }
    }
    func put(_ offset: UInt64, _ bytes: [UInt8]) {
      kernel.memory.replaceSubrange(Int(offset)..<(Int(offset) + bytes.count), with: bytes)
    }
    let btf = types
    put(0x7000, btf)
    let names: [(String, UInt64)] = [
      ("__start_BTF", 0x7000), ("__stop_BTF", 0x7000 + UInt64(btf.count)), ("init_task", 0xa000), ("efi_mm", 0xa200),
    ]
    for (name, offset) in names { kernel.vmcoreinfo.append("SYMBOL(\(name))=\(String(at(offset), radix: 16))") }
    put(0xa008, Array("swapper/0".utf8))
    put(0xa018, at(0xa098), at(0xa098), 0)
    put(0xa080, 1 | 1 << 32)
    put(0xa088, Array("sockets".utf8))
    put(0xa098, at(0xa018), at(0xa018))
    put(0xa0c0, at(0xa300))
    put(0xa300, at(0xa310))
    put(0xa310, UInt64(sockets.count), at(0xa340))
    for (number, socket) in sockets.enumerated() {
      let (file, own, place) = (
        0xb000 + UInt64(number) * 32, 0xc000 + UInt64(number) * 8, 0xe000 + UInt64(number) * 0x80
      )
      put(0xa340 + UInt64(number) * 8, at(file))
      put(file + 0x10, at(0xd000), at(own))
      put(own, at(place))
      put(place, socket.bytes)
    }
    put(0xd000, 5, at(0xd040), 0o140777)
    put(0xe804, [UInt8](little: 2 + 17 as UInt32) + [1, 0] + Array("/run/udev/control".utf8))
    put(0xe844, [UInt8](little: 2 + 9 as UInt32) + [1, 0, 0] + Array("abstract".utf8))
    // EFI's root has what the kernel maps, from address 0 on.
    put(0xa200, at(0x8000))
    kernel.setWord(HandmadeKernel.tables[1] | 3, at: HandmadeKernel.base + 0x8000)
    return kernel
  }

  private func withDump(_ kernel: HandmadeKernel, _ body: (String) throws -> Void) throws {
    try Scratch.withFolder { folder in
      let path = folder.appendingPathComponent("vmcore").path
      try kernel.core.write(to: path)
      try body(path)
    }
  }

  @Test("Sockets have their addresses, ports, paths and states")
  func sockets() throws {
    try withDump(Self.kernel) { path in
      let files = try Kva.run(["files", path, "1", "--json"]).objects()
      try #require(files.count == Self.sockets.count, "\(files)")
      for (file, (_, expected)) in zip(files, Self.sockets) {
        let socket = try #require(file["socket"] as? [String: Any], "\(file)")
        let found = ["family", "type", "protocol", "state", "local", "remote"].map { socket[$0] as? String }
        #expect(found == expected)
      }
      let lines = try Kva.run(["files", path, "1"]).lines
      #expect(lines.first?.hasSuffix("? TCP 192.0.2.1:22 -> 198.51.100.7:50123 ESTABLISHED") == true, "\(lines)")
      #expect(lines.last?.hasSuffix("? NETLINK ROUTE 1234") == true, "\(lines)")
    }
  }

  @Test("EFI's tables translate as those of a process do; a kernel without them says so")
  func efi() throws {
    try withDump(Self.kernel) { path in
      let found = try Kva.run(["resolve", path, "0x8005008", "--ttbr0", "efi", "--json"]).object()
      #expect(found["physical"] as? String == "0x40005008")
    }
    var without = Self.kernel
    without.setWord(0, at: HandmadeKernel.base + 0xa200)
    try withDump(without) { path in
      let result = try Kva.run(["resolve", path, "0x8005008", "--ttbr0", "efi"])
      #expect(result.status != 0 && result.standardError.contains("no tables of EFI"), "\(result.standardError)")
    }
  }
}
