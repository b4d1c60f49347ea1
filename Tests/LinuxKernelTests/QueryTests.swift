import KernelVA
import Testing

/// What a person may ask, and what is no question.
@Suite struct QueryTests {
  static func symbol(_ name: String, _ module: String? = nil, cpu: Int? = nil) -> Query.Base {
    .symbol(name: name, module: module, cpu: cpu)
  }

  static let addresses: [(String, UInt64, UInt64)] = [
    ("0xffff80000a1c2d40", 0xffff_8000_0a1c_2d40, 0),
    ("ffff80000a1c2d40", 0xffff_8000_0a1c_2d40, 0),
    ("FFFF80000A1C2D40", 0xffff_8000_0a1c_2d40, 0),
    ("0XFFFF", 0xffff, 0),
    ("0x0", 0, 0),
    ("0xffffffffffffffff", .max, 0),
    // 8 hex digits are an address, 7 are a name.
    ("40210000", 0x4021_0000, 0),
    ("deadbeef", 0xdead_beef, 0),
    ("0xffff800008000000+8", 0xffff_8000_0800_0000, 8),
    ("ffff800008000000+0x10", 0xffff_8000_0800_0000, 16),
    ("0x1+0xffffffffffffffff", 1, .max),
    ("0x1+18446744073709551615", 1, .max),
    // As the kernel prints them, and as people group digits.
    ("[<ffff80000a1c2d40>]", 0xffff_8000_0a1c_2d40, 0),
    ("[<ffff80000a1c2d40>] vfs_read+0x10/0x40", 0xffff_8000_0a1c_2d40, 0),
    ("ffff80000a1c2d40:", 0xffff_8000_0a1c_2d40, 0),
    ("0xffff80000a1c2d40,", 0xffff_8000_0a1c_2d40, 0),
    ("(0xffff80000a1c2d40)", 0xffff_8000_0a1c_2d40, 0),
    ("0xffff80000a1c2d40);", 0xffff_8000_0a1c_2d40, 0),
    ("ffff80000a1c2d40 [fuse]", 0xffff_8000_0a1c_2d40, 0),
    ("0xffff_8000_0a1c_2d40", 0xffff_8000_0a1c_2d40, 0),
    ("ffff_8000_0a1c_2d40", 0xffff_8000_0a1c_2d40, 0),
    ("0x1000-8", 0x1000, 0 &- 8),
    ("ffff800008000000-0x10", 0xffff_8000_0800_0000, 0 &- 16),
  ]

  @Test(arguments: addresses)
  func addressIsRead(_ text: String, _ address: UInt64, _ offset: UInt64) throws {
    let query = try Query(text)
    #expect(query.base == .address(address))
    #expect(query.offset == offset)
    #expect(query.text == text)
  }

  static let symbols: [(String, Query.Base, UInt64)] = [
    ("init_task", symbol("init_task"), 0),
    ("init_task+8", symbol("init_task"), 8),
    ("init_task+08", symbol("init_task"), 8),
    ("init_task+0x10", symbol("init_task"), 16),
    ("init_task+0X1f", symbol("init_task"), 31),
    ("_text", symbol("_text"), 0),
    ("__ksymtab_start.llvm.123", symbol("__ksymtab_start.llvm.123"), 0),
    // Hex digits, but too few or too many for an address.
    ("feed", symbol("feed"), 0),
    ("deadbee", symbol("deadbee"), 0),
    ("deadbeefdeadbeef0", symbol("deadbeefdeadbeef0"), 0),
    ("ext4:ext4_iget", symbol("ext4_iget", "ext4"), 0),
    ("ext4:ext4_iget+0x20", symbol("ext4_iget", "ext4"), 32),
    ("ext4:deadbeef", symbol("deadbeef", "ext4"), 0),
    ("runqueues@cpu0", symbol("runqueues", cpu: 0), 0),
    ("runqueues@cpu3", symbol("runqueues", cpu: 3), 0),
    ("runqueues@cpu127+8", symbol("runqueues", cpu: 127), 8),
    ("kvm:kvm_running_vcpu@cpu2", symbol("kvm_running_vcpu", "kvm", cpu: 2), 0),
    ("init_task-8", symbol("init_task"), 0 &- 8),
    ("init_task-0x10", symbol("init_task"), 0 &- 16),
    ("name-with-dashes", symbol("name-with-dashes"), 0),
    ("schedule+0x10/0x40", symbol("schedule"), 16),
    ("schedule+0x10/0x40,", symbol("schedule"), 16),
    ("schedule+0x10/0x40 (P)", symbol("schedule"), 16),
    ("<schedule+0x10>", symbol("schedule"), 16),
    ("<ext4_iget+0x10 [ext4]>", symbol("ext4_iget", "ext4"), 16),
    ("ext4_iget [ext4]", symbol("ext4_iget", "ext4"), 0),
    ("ext4_iget+0x10/0x40 [ext4]", symbol("ext4_iget", "ext4"), 16),
    ("ext4_iget+0x10/0x40 [ext4 0123abcd]", symbol("ext4_iget", "ext4"), 16),
    ("ext4_iget+0x10/0x40 [ext4] (P)", symbol("ext4_iget", "ext4"), 16),
    ("ext4:", symbol("ext4"), 0),
    ("init_task;", symbol("init_task"), 0),
    ("__init_begin", symbol("__init_begin"), 0),
    ("$pc", .register(name: "pc", cpu: nil), 0),
    ("$sp@cpu1", .register(name: "sp", cpu: 1), 0),
    ("$x0+8", .register(name: "x0", cpu: nil), 8),
    ("$x29@cpu3-0x10", .register(name: "x29", cpu: 3), 0 &- 16),
  ]

  @Test(arguments: symbols)
  func symbolIsRead(_ text: String, _ base: Query.Base, _ offset: UInt64) throws {
    let query = try Query(text)
    #expect(query.base == base)
    #expect(query.offset == offset)
  }

  static let malformed = [
    "", " ", "init_task ", " init_task", "init task", "init_task\t", "init_task\n", "init\u{7f}task", "a\0b",
    "0x", "0X", "0xg", "0x-1", "0x-0", "0x+1", "0x1ffffffffffffffff", "0x0x1", "0x_ffff", "0xffff_",
    "schedule+0x10/", "schedule+0x10/x", "schedule+1/2/3", "$pc@1", "init_task [", "a b [c]",
    "init_task+", "init_task+x", "init_task+-8", "init_task+0x", "init_task+1f", "init_task+8 ",
    "init_task+0x10000000000000000", "init_task+18446744073709551616", "init_task+0x-1",
    ":name", ":", "ext4:+8", "@cpu1", "ext4:@cpu1",
    "runqueues@", "runqueues@3", "runqueues@cpu", "runqueues@cpu-1", "runqueues@cpu-0", "runqueues@cpux",
    "runqueues@CPU1", "runqueues@cpu99999999999999999999", "runqueues@cpu+3",
  ]

  @Test(arguments: malformed)
  func malformedQueryIsRefused(_ text: String) {
    let error = #expect(throws: Query.Malformed.self) { try Query(text) }
    #expect(error?.message.isEmpty == false)
    #expect(error?.message.contains("\n") == false)
  }

  @Test func numbersAreDecimalOrHexWith0x() {
    let good: [(String, UInt64)] = [
      ("0", 0), ("10", 10), ("0x10", 16), ("0XfF", 255), ("010", 10), ("18446744073709551615", .max),
      ("0xffffffffffffffff", .max),
    ]
    for (text, value) in good { #expect(Query.number(text) == value, "\(text)") }
    for text in [
      "", "+1", "-1", "-0", " 1", "1 ", "ff", "0x", "0x+1", "0x-1", "1_000", "1e3", "x10", "٣", "１",
    ] {
      #expect(Query.number(text) == nil, "\(text)")
    }
  }
}
